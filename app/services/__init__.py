"""The use cases, one file each. Roles are checked here, whoever calls: page, API or command line."""
