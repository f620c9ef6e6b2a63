"""What runs layers and networks: one protocol, one package per framework."""
