"""The tests: a folder for each room of the program, what they share in support/, programs in tools/."""
