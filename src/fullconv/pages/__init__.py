"""Web pages in one file: modules joined to a script, policies by hashes, data in elements."""
