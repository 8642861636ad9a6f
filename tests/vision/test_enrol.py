"""Making a template of a picture: the right person, or a reason to act on."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from agent.core.identity import cosine
from agent.vision.build import build_enroller
from agent.vision.engine import open_engine
from agent.vision.enrol import Enroller, Template, TemplateRefused
from models_tflite.manifest import load_manifest
from tests.vision.people import canvas_with, portrait, whole_picture

EMBEDDER_NUMBERS = load_manifest().model("face_embedder").outputs[0].shape[-1]


@pytest.fixture(scope="module")
def enroller() -> Enroller:
    return build_enroller(open_engine("litert", 1), load_manifest())


def reason_of(result: Template | TemplateRefused) -> str:
    assert isinstance(result, TemplateRefused), result
    assert ":" in result.advice
    return result.reason


def test_two_pictures_of_one_person_match_and_those_of_two_do_not(enroller):
    owner = enroller.template_from_picture(whole_picture(portrait("owner", "enrolment")))
    again = enroller.template_from_picture(whole_picture(portrait("owner")))
    stranger = enroller.template_from_picture(whole_picture(portrait("stranger")))
    assert all(isinstance(made, Template) and len(made.embedding) == 4 * EMBEDDER_NUMBERS for made in (owner, again, stranger))
    assert cosine(owner.embedding, again.embedding) > 0.6
    assert cosine(owner.embedding, stranger.embedding) < 0.3


def test_the_template_is_of_unit_length_and_names_its_network(enroller):
    owner = enroller.template_from_picture(whole_picture(portrait("owner")))
    assert cosine(owner.embedding, owner.embedding) == pytest.approx(1, abs=1e-5)
    assert owner.embedder_id == load_manifest().embedder_id
    assert owner.quality > 0.5


def test_a_picture_without_a_face_is_refused(enroller):
    stripes = np.repeat(np.tile(np.arange(0, 240, 8, dtype=np.uint8).repeat(16), (480, 1))[..., None], 3, axis=2)
    assert reason_of(enroller.template_from_picture(stripes)) == "no_face"


def test_a_covered_lens_is_not_taken_for_an_empty_place(enroller):
    assert reason_of(enroller.template_from_picture(np.full((480, 640, 3), 120, np.uint8))) == "flat_light"


def test_nobody_is_enrolled_from_a_picture_of_two(enroller):
    left, _ = canvas_with(portrait("owner"), 110, (160, 240))
    right, _ = canvas_with(portrait("stranger"), 100, (480, 240))
    both = np.hstack([left[:, :320], right[:, 320:]])
    assert reason_of(enroller.template_from_picture(both)) == "several_faces"


def test_somebody_far_behind_does_not_prevent_an_enrolment(enroller):
    left, _ = canvas_with(portrait("owner"), 150, (200, 240))
    right, _ = canvas_with(portrait("stranger"), 45, (560, 240))
    both = np.hstack([left[:, :460], right[:, 460:]])
    assert isinstance(enroller.template_from_picture(both), Template)


@pytest.fixture(scope="module")
def good():
    return canvas_with(portrait("owner"), 140, (320, 240))[0]


def test_a_good_picture_is_taken(enroller, good):
    assert isinstance(enroller.template_from_picture(good), Template)


@pytest.mark.parametrize("width_px", [38, 32, 26])
def test_whoever_is_far_away_is_asked_to_come_closer(enroller, width_px):
    assert reason_of(enroller.template_from_picture(canvas_with(portrait("owner"), width_px, (320, 240))[0])) == "too_small"


@pytest.mark.parametrize("share", [0.15, 0.1, 0.06, 0.02])
def test_whoever_stands_in_the_dark_is_asked_for_light(enroller, good, share):
    assert reason_of(enroller.template_from_picture((good * share).astype(np.uint8))) == "too_dark"


@pytest.mark.parametrize("more", [180, 190])
def test_whoever_stands_in_the_glare_is_asked_to_step_out_of_it(enroller, good, more):
    assert reason_of(enroller.template_from_picture(np.clip(good.astype(int) + more, 0, 255).astype(np.uint8))) == "too_bright"


@pytest.mark.parametrize("sigma", [6, 7, 8])
def test_whoever_moves_is_asked_to_hold_still(enroller, good, sigma):
    assert reason_of(enroller.template_from_picture(cv2.GaussianBlur(good, (0, 0), sigma))) == "blurred"


@pytest.mark.parametrize("share", [0.2, 0.12])
def test_a_veiled_lens_is_not_taken_for_the_persons_fault(enroller, good, share):
    assert reason_of(enroller.template_from_picture((128 + (good.astype(int) - 128) * share).astype(np.uint8))) == "flat_light"


def test_whoever_wears_dark_glasses_is_asked_to_take_them_off(enroller):
    shown = portrait("owner")
    x, y, width, height = shown.face_box_px
    picture = whole_picture(shown).copy()
    for eye_x in (0.08, 0.54):
        left, top = int(x + eye_x * width), int(y + 0.22 * height)
        picture[top : top + int(0.22 * height), left : left + int(0.38 * width)] = (25, 20, 20)
    assert reason_of(enroller.template_from_picture(picture)) == "dark_glasses"


def test_a_very_large_picture_gives_the_template_of_a_smaller_one(enroller):
    picture = whole_picture(portrait("owner"))
    large = cv2.resize(picture, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    made = enroller.template_from_picture(picture), enroller.template_from_picture(large)
    assert cosine(made[0].embedding, made[1].embedding) > 0.9
