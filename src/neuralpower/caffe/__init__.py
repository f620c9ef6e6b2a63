"""Caffe prototxt files: schema, text format, upgrades, phase rules, shapes, layer tables."""
