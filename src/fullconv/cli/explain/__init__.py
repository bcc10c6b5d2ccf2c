"""Explain an operation or a network, with pictures.

Each of the commands below prints a table and draws a picture. Without the name of one, a classifier
and a photo give the class heat map: `fullconv explain resnet18 cat.jpg`.
"""

DEFAULT = "heat-map"
