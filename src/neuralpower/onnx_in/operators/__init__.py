"""The operators that become layers, by what they do; importing a module registers its own."""
