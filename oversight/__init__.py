"""What watches the lab; it sits on top, so nothing it watches can import it."""
