"""The process of `annotune up` that starts the others and starts them again.

It lives as long as they do and must never be what fails, so it imports the standard library and
`app.processes`, and nothing else of the application: `app/cli/up.py` finds out what it needs to know.
"""
