"""Transfer studies: one frozen method again on other cells, and a verdict on each that says what it rests on."""
