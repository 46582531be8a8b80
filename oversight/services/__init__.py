"""The only code that changes this app's rows."""
