"""How the record of each log is had back from its OCSF copy: a module that defines COPY."""
