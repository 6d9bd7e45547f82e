"""Input made up at random, guided by what the code does with it."""
