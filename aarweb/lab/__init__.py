"""`make run`: installs the lab, starts its services and processes, and keeps them up."""
