"""Street scenes, drawn with exact labels. One file a painter; here they are put together.

A scene is a pure function of (seed, index, height, width). A pinhole camera stands in a street;
what stands there is measured in metres (x to the right, y up, z away from the camera) and painted
from far to near, so the labels are exact: each pixel belongs to what was painted last at it.
"""

import numpy as np

from fullconv.data.sample import Sample
from fullconv.data.synthetic.buildings import place_buildings
from fullconv.data.synthetic.ground import paint_ground, paint_sky
from fullconv.data.synthetic.roadside import place_poles, place_trees
from fullconv.data.synthetic.scene import Scene, SceneRandom, Thing, develop, lay_out
from fullconv.data.synthetic.traffic import place_cars, place_people


def draw(seed: int, index: int, height: int, width: int) -> Sample:
    """Scene `index` of the data set with this seed; the same arguments give the same bytes."""
    sequence = np.random.SeedSequence([seed, index])
    dice = SceneRandom(np.random.Generator(np.random.Philox(sequence)))
    scene = lay_out(dice, (height, width))
    paint_sky(scene)
    paint_ground(scene)
    for _, paint in sorted(_things(scene), key=lambda thing: -thing[0]):
        paint()
    return Sample(develop(scene.canvas.image, dice), scene.canvas.labels, scene_name(index))


def scene_name(index: int) -> str:
    """What scene `index` of a data set is called; the stem of its files."""
    return f"scene-{index:05d}"


def _things(scene: Scene) -> list[Thing]:
    """Everything that stands in the street; of equal distances, the first is painted first."""
    things = [*place_buildings(scene), *place_cars(scene)]
    leafy, spacing = scene.dice.between(0.1, 0.9), scene.dice.between(7, 14)
    for side in (-1, 1):
        things += place_trees(scene, side, leafy, spacing)
        things += place_poles(scene, side, spacing)
    return [*things, *place_people(scene)]
