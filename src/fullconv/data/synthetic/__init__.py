"""Synthetic street scenes with exact labels.

A scene is a pure function of (seed, index, height, width). Objects are placed in metres (x to the
right, y up, z away from the camera), projected by a pinhole camera and painted from far to near.
Labels are exact: each pixel has the class that was painted last.
"""

import numpy as np

from fullconv.data.sample import Sample
from fullconv.data.synthetic.buildings import place_buildings
from fullconv.data.synthetic.ground import paint_ground, paint_sky
from fullconv.data.synthetic.roadside import place_poles, place_trees
from fullconv.data.synthetic.scene import (
    Scene,
    SceneObject,
    SceneRandom,
    add_camera_effects,
    create_scene,
)
from fullconv.data.synthetic.traffic import place_cars, place_people


def draw(seed: int, index: int, height: int, width: int) -> Sample:
    """Draw scene `index` of the data set with this seed; equal arguments give equal bytes."""
    sequence = np.random.SeedSequence([seed, index])
    random = SceneRandom(np.random.Generator(np.random.Philox(sequence)))
    scene = create_scene(random, (height, width))
    paint_sky(scene)
    paint_ground(scene)
    for _, paint in sorted(_objects(scene), key=lambda entry: -entry[0]):
        paint()
    return Sample(
        add_camera_effects(scene.canvas.image, random), scene.canvas.labels, scene_name(index)
    )


def scene_name(index: int) -> str:
    """Return the sample name of scene `index`."""
    return f"scene-{index:05d}"


def _objects(scene: Scene) -> list[SceneObject]:
    """Return all objects; those at equal distances are painted in this order."""
    objects = [*place_buildings(scene), *place_cars(scene)]
    leafy, spacing = scene.random.between(0.1, 0.9), scene.random.between(7, 14)
    for side in (-1, 1):
        objects += place_trees(scene, side, leafy, spacing)
        objects += place_poles(scene, side, spacing)
    return [*objects, *place_people(scene)]
