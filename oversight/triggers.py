"""What the database itself refuses here: the function is made by the first migration."""

from experiments.triggers import Refusals

GUARD = Refusals("oversight_refuse")
