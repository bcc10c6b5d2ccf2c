from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from fullconv.data import synthetic
from fullconv.data.synthetic import draw
from fullconv.data.synthetic.buildings import BACKGROUND, place_buildings
from fullconv.data.synthetic.materials import BLACK, CAR, CLASSES, POLE, ROAD, WHITE
from fullconv.data.synthetic.scene import (
    DAY,
    HAZE_DISTANCE,
    LIGHTS,
    Camera,
    SceneRandom,
    add_camera_effects,
    create_scene,
)
from fullconv.data.synthetic.traffic import place_cars, place_people


@pytest.fixture(scope="module")
def scenes():
    return [draw(0, index, 120, 160) for index in range(60)]


def test_a_scene_is_a_function_of_its_arguments():
    first, _, again = draw(3, 17, 60, 80), draw(1, 2, 50, 60), draw(3, 17, 60, 80)
    assert first.image.tobytes() == again.image.tobytes()
    assert first.labels.tobytes() == again.labels.tobytes()
    assert first.name == "scene-00017"


def test_seeds_and_indices_give_different_scenes():
    drawn = [draw(seed, index, 60, 80) for seed, index in ((3, 17), (4, 17), (3, 18), (17, 3))]
    for one, two in combinations(drawn, 2):
        assert (one.image != two.image).mean() > 0.5
        assert (one.labels != two.labels).any()


def test_odd_and_extreme_sizes():
    for index in range(8):
        for size in ((16, 16), (17, 61), (61, 17)):
            labels = draw(2, index, *size).labels
            assert labels.shape == size
            assert labels.max() < 7


def test_every_pixel_has_a_class(scenes):
    for sample in scenes:
        assert sample.labels.max() <= 6


def test_every_class_is_common(scenes):
    shares = np.array([np.bincount(s.labels.ravel(), minlength=7) / s.labels.size for s in scenes])
    present, mean = (shares > 0).mean(0), shares.mean(0)
    assert (present > 0.7).all(), dict(zip(CLASSES, present, strict=True))
    floors = dict(sky=0.05, building=0.1, road=0.2, tree=0.02, car=0.02, person=0.008, pole=0.005)
    for name, share in zip(CLASSES, mean, strict=True):
        assert share >= floors[name], f"{name}: {share:.4f}"


def test_images_are_neither_flat_nor_clipped(scenes):
    for sample in scenes:
        assert sample.image.std() > 12
        assert ((sample.image == 0) | (sample.image == 255)).mean() < 0.35


def test_classes_cannot_be_inferred_from_colour_alone(scenes):
    """The best prediction from a quantized colour is wrong for much of the small classes."""
    counts = np.zeros((16**3, 7))
    for sample in scenes:
        red, green, blue = np.moveaxis(sample.image.astype(np.intp) // 16, -1, 0)
        np.add.at(counts, (red * 256 + green * 16 + blue, sample.labels), 1)
    hit = np.zeros(7)
    np.add.at(hit, counts.argmax(1), counts.max(1))
    union = counts.sum(0) + np.bincount(counts.argmax(1), counts.sum(1), 7) - hit
    assert (hit / union).mean() < 0.5


@pytest.fixture
def random():
    return SceneRandom(np.random.Generator(np.random.Philox(5)))


def test_the_camera_is_a_pinhole():
    camera = Camera(size=(120, 160), horizon=50, middle=80, focal=200, eye=2)
    assert camera.at(0, 2, 10) == (50, 80)  # at the height of the camera: on the horizon
    assert camera.at(1, 2, 10) == (50, 80 + 200 / 10)
    assert camera.at(1, 2, 20) == (50, 80 + 200 / 20)  # twice as far, half as wide
    assert camera.at(0, 0, 10) == (50 + 2 * 200 / 10, 80)


def test_a_rectangle_equals_the_polygon_of_its_corners():
    camera = Camera(size=(60, 80), horizon=25, middle=40, focal=100, eye=2)
    sides = camera.upright(-1.03, 1.28, 0.41, 2.27, 10)
    corners = camera.face((-1.03, 0.41, 10), (-1.03, 2.27, 10), (1.28, 2.27, 10), (1.28, 0.41, 10))
    np.testing.assert_allclose(sides.cover, corners.cover, atol=1e-4)


def test_a_bar_has_a_minimum_thickness():
    camera = Camera(size=(90, 90), horizon=45, middle=45.5, focal=90, eye=1)
    bar = camera.bar((0, 0), (0, 2), 30, 0.01)  # 0.03 pixels wide at scale
    assert bar.cover.sum(1).max() == pytest.approx(90 / 45, abs=0.01)


@pytest.mark.parametrize("light", LIGHTS)
def test_haze_is_half_of_the_colour_at_its_distance(light):
    near, far = light.lit((0.4, 0.6, 0.8), 0), light.lit((0.4, 0.6, 0.8), HAZE_DISTANCE)
    assert far == pytest.approx([(n + haze) / 2 for n, haze in zip(near, light.low, strict=True)])


def test_surfaces_have_the_colours_of_their_materials():
    kind, shade, z = np.array([[0, 1]]), np.full((1, 2), 0.8, np.float32), np.array([[0, 90]])
    picture = DAY.surface((BLACK, WHITE), kind, shade, z.astype(np.float32))
    assert picture[0, 0] == pytest.approx([0.8 * part for part in DAY.lit(BLACK, 0)])
    assert picture[0, 1] == pytest.approx(DAY.lit(WHITE, 90, gain=0.8), rel=1e-5)


def test_rows_of_objects_have_bounded_distances(random):
    for _ in range(50):
        distances = [*random.along(5, 40, 6)]
        assert 5 <= min(distances) <= max(distances) < 40
        assert all(4.2 <= step <= 7.8 for step in np.diff(distances))


def test_random_numbers_are_uniform(random):
    picked = [random.pick("abcd") for _ in range(4000)]
    assert all(850 < picked.count(letter) < 1150 for letter in "abcd")
    assert 850 < sum(random.chance(0.25) for _ in range(4000)) < 1150
    numbers = [random.between(-3, 5) for _ in range(1000)]
    assert -3 <= min(numbers) < -2.5 < 4.5 < max(numbers) < 5


def test_later_objects_hide_earlier_ones(random):
    scene = create_scene(random, (60, 80))
    far = scene.camera.upright(-2, 2, 0, 2, 20)
    scene.paint(far, WHITE, 20, CAR)
    behind = (scene.canvas.labels == CAR).sum()
    scene.paint(far, BLACK, 10, POLE)
    assert behind == (scene.canvas.labels == POLE).sum() > 0
    assert not (scene.canvas.labels == CAR).any()


def test_shadows_darken_the_road_only(random):
    scene = create_scene(random, (60, 80))
    scene = replace(scene, canvas=replace(scene.canvas, labels=scene.canvas.labels + ROAD))
    scene.canvas.labels[:, 40:] = CAR
    scene.canvas.image[:] = 1
    scene.shadow(scene.camera.upright(-50, 50, -50, 50, 1))
    assert (scene.canvas.image[:, :40] < 0.7).all()
    assert (scene.canvas.image[:, 40:] == 1).all()


def test_camera_effects_keep_contrast(random):
    picture = np.full((40, 60, 3), 0.3, np.float32)
    picture[:, 30:] = 0.7
    photo = add_camera_effects(picture, random)
    assert photo.dtype == np.uint8
    assert photo[:, :28].max() < 128 < photo[:, 32:].min()
    assert len(np.unique(photo[:, :28])) > 3  # sensor noise


def test_objects_are_in_front_of_the_camera_and_houses_behind_them(random):
    for _ in range(30):
        scene = create_scene(random, (60, 80))
        things = [*place_cars(scene), *place_people(scene)]
        assert all(5 <= z < 30 for z, _ in things)
        assert all(z > BACKGROUND for z, _ in place_buildings(scene))


def test_the_nearest_object_is_painted_last(monkeypatch):
    painted = []
    distances = (7, 400, 3, 2000, 50)
    things = [(z, lambda z=z: painted.append(z)) for z in distances]
    monkeypatch.setattr(synthetic, "place_cars", lambda scene: things)
    draw(0, 0, 40, 50)
    assert painted == sorted(distances, reverse=True)
