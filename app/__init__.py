"""Everything of Annotune that runs without torch: domain, pages, REST API, command line."""
