"""What pages and API share of HTTP: who is asking, the unit of work, forgery, headers, errors."""
