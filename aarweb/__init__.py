"""The project: wires everything together, imported by nobody."""
