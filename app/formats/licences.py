"""Licences of data sets by the identifiers that the hub knows them by.

https://huggingface.co/docs/hub/repositories-licenses, those that are meant for data.
"""

LICENCES = {
    "cc0-1.0": "Creative Commons Zero 1.0",
    "cc-by-4.0": "Creative Commons Attribution 4.0",
    "cc-by-sa-4.0": "Creative Commons Attribution-ShareAlike 4.0",
    "cc-by-nc-4.0": "Creative Commons Attribution-NonCommercial 4.0",
    "cc-by-nc-sa-4.0": "Creative Commons Attribution-NonCommercial-ShareAlike 4.0",
    "cc-by-nd-4.0": "Creative Commons Attribution-NoDerivatives 4.0",
    "odc-by": "Open Data Commons Attribution",
    "odbl": "Open Data Commons Open Database",
    "pddl": "Open Data Commons Public Domain Dedication",
    "cdla-permissive-2.0": "Community Data License Agreement, Permissive 2.0",
    "apache-2.0": "Apache 2.0",
    "mit": "MIT",
    "other": "Other",
}
