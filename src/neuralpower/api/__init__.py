"""What programs call: ``neuralpower.__all__`` names it. The commands do the same in files."""
