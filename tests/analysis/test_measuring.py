"""What people do in a film: metres, zones, glances and what stood out are told of whole visits, and nothing that was not measured."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from agent.analysis.conducted import Behaved, Behaviour
from agent.analysis.measuring import NOON, Lens, Measuring, assumed, learned, marked
from agent.behaviour.norms import Moment, Norms
from agent.config import Config, Deployment
from agent.core.conduct import Evidence
from agent.core.evidence import KINDS
from agent.core.messages import Expression, Observation
from agent.errors import ConfigError, FilmError
from agent.sections import Behaviour as BehaviourSection
from tests.analysis.seen import FRAME_PX, face, observation
from tests.analysis.walking import straight, walked

LENS = Lens(70.0, 2.0, 15.0)
CONFIG = Config(site="film", door="film")
SMILE = Expression(probabilities=(0.1, 0.8, 0.1, 0, 0, 0, 0), confidence=0.8)
GOOD_FLOOR = """
frame_px = [640, 480]
points = [
    {px = [200.0, 460.0], m = [-0.5, 1.5]}, {px = [440.0, 460.0], m = [0.5, 1.5]},
    {px = [260.0, 300.0], m = [-0.5, 3.5]}, {px = [380.0, 300.0], m = [0.5, 3.5]},
]
"""


def behaviour_of(observations, config: Config = CONFIG) -> Behaviour:
    measuring = Measuring(assumed(LENS), config)
    for each in observations:
        measuring.take(each)
    behaviour = measuring.behaviour()
    assert behaviour is not None
    return behaviour


def only(behaviour: Behaviour) -> Behaved:
    [person] = behaviour.people
    return person


def test_who_walks_four_metres_in_four_seconds_walked_a_metre_a_second():
    person = only(behaviour_of(walked([straight((0.0, 5.0), (0.0, 1.0), 0.0, 4.0)], 4.0)))
    assert person.speed_median_m_s == pytest.approx(1.0, abs=0.1)
    assert person.path_m == pytest.approx(4.0, abs=0.5)
    assert person.straightness == pytest.approx(1.0, abs=0.05)
    assert person.speed_peak_m_s == pytest.approx(1.0, abs=0.25)
    assert person.turned_back == 0


def test_the_time_before_the_door_is_told_by_zone():
    person = only(behaviour_of(walked([straight((0.0, 5.0), (0.0, 1.0), 0.0, 4.0)], 4.0)))
    assert sum(person.dwell_s.values()) == pytest.approx(4.0, abs=0.4)
    assert person.dwell_s["public"] == pytest.approx(2.0, abs=0.5)
    assert person.dwell_s["approach"] == pytest.approx(1.8, abs=0.5)


def test_a_film_without_anybody_has_no_visits_and_a_floor():
    behaviour = behaviour_of(walked([], 2.0))
    assert (behaviour.people, behaviour.most_people, behaviour.floor) == ((), 0, "assumed")
    assert behaviour.floor_says.startswith("assumed: lens 70 deg")


def test_two_who_come_one_after_the_other_are_two_and_at_most_one_at_once():
    ways = [straight((0.0, 4.0), (0.0, 2.5), 0.0, 2.0), straight((0.0, 4.0), (0.0, 2.5), 8.0, 10.0)]
    behaviour = behaviour_of(walked(ways, 10.0))
    assert (len(behaviour.people), behaviour.most_people) == (2, 1)
    assert [person.number for person in behaviour.people] == [1, 2]


def test_two_side_by_side_are_two_at_once():
    ways = [straight((-0.8, 4.0), (-0.8, 2.5), 0.0, 3.0), straight((0.8, 4.0), (0.8, 2.5), 0.0, 3.0)]
    assert behaviour_of(walked(ways, 3.0)).most_people == 2


def test_glances_have_sides_and_times_and_the_plot_shows_each():
    def yaw(now_s: float) -> float:
        return 45.0 if 4.0 <= now_s < 4.8 else -45.0 if 7.0 <= now_s < 7.8 else 0.0

    measuring = Measuring(assumed(LENS), CONFIG)
    for each in walked([straight((0.0, 2.0), (0.0, 1.9), 0.0, 10.0)], 10.0, yaw):
        measuring.take(each)
    behaviour, [trace] = measuring.behaviour(), measuring.traces()
    assert behaviour is not None
    glances = only(behaviour).glances
    assert (glances.count, glances.left, glances.right, glances.back) == (2, 1, 1, 0)
    assert glances.times_s == pytest.approx((4.0, 7.0), abs=0.2)
    assert [(glance.side, round(glance.at_s)) for glance in trace.glances] == [("right", 4), ("left", 7)]
    away = [(look.from_s, look.to_s) for look in trace.looks if look.state == "away"]
    assert [round(begin) for begin, _ in away] == [4, 7]


def test_a_face_that_cannot_be_measured_glances_at_nothing_and_the_reason_is_told():
    person = only(behaviour_of(walked([straight((0.0, 2.0), (0.0, 1.9), 0.0, 5.0)], 5.0, lambda now_s: None)))
    assert person.glances.count == 0
    assert person.glances.measured_s == 0
    assert person.glances.not_measured_s["too_dark"] == pytest.approx(5.0, abs=0.2)


def test_the_evidence_of_the_highest_risk_has_its_sentences():
    def yaw(now_s: float) -> float:
        return 45.0 if now_s > 3 and now_s % 2.0 < 0.7 else 0.0

    person = only(behaviour_of(walked([straight((0.0, 2.0), (0.0, 1.9), 0.0, 14.0)], 14.0, yaw)))
    assert person.risk is not None
    assert person.risk.score > 0
    [glances] = [item for item in person.evidence if item.kind == "glances"]
    assert glances.sentence.startswith(f"looked away {glances.value:.0f} times")
    assert glances.unit == KINDS["glances"].unit
    points = [item.points for item in person.evidence]
    assert points == sorted(points, reverse=True)


def with_smiles(observations) -> list[Observation]:
    return [
        msgspec.structs.replace(seen, faces=tuple(msgspec.structs.replace(each, expression=SMILE) for each in seen.faces))
        for seen in observations
    ]


def test_in_workplace_eu_nothing_emotional_is_told_even_of_faces_that_somebody_gave_expressions():
    """However the configuration came about: the profile alone decides."""
    config = Config(site="film", door="film", behaviour=BehaviourSection(stress_signs=True))
    seen = with_smiles(walked([straight((0.0, 2.0), (0.0, 1.5), 0.0, 8.0)], 8.0))
    measuring, kinds = Measuring(assumed(LENS), config), set()
    for each in seen:
        conduct = measuring.take(each)
        kinds |= {item.kind for person in (conduct.persons if conduct else ()) for item in person.evidence}
    behaviour = measuring.behaviour()
    assert behaviour is not None
    kinds |= {item.kind for item in only(behaviour).evidence}
    assert kinds
    assert not any(KINDS[kind].emotional for kind in kinds)


def test_what_the_watcher_itself_may_not_say_is_taken_out_of_what_it_says(monkeypatch):
    """A second lock behind the first: the conduct is cleaned on its way out, whoever made it."""
    stress = Evidence(kind="stress_signs", value=0.9)
    measuring = Measuring(assumed(LENS), CONFIG)
    observations = list(walked([straight((0.0, 2.0), (0.0, 1.5), 0.0, 2.0)], 2.0))
    measuring.take(observations[0])
    assert measuring._parts is not None
    monkeypatch.setattr(measuring._parts[0], "_evidence", lambda *_: [stress])
    told = [conduct for each in observations[1:] if (conduct := measuring.take(each)) is not None]
    assert told
    assert all(not person.evidence for conduct in told for person in conduct.persons)


def test_the_profile_standard_may_measure_stress_signs_where_that_was_asked_for():
    deployment = Deployment(profile="standard", expression=True)
    config = Config(site="film", door="film", deployment=deployment, behaviour=BehaviourSection(stress_signs=True))
    assert Measuring(assumed(LENS), config)._emotional


def test_a_camera_that_changes_its_size_in_the_middle_is_measured_no_further():
    measuring = Measuring(assumed(LENS), CONFIG)
    first, second, third = observation(face()), observation(face(), at_s=1.0), observation(face(), at_s=2.0)
    assert measuring.take(first) is not None
    assert measuring.take(msgspec.structs.replace(second, frame_px=(320, 240))) is None
    assert measuring.take(third) is not None


# -- what is usual -------------------------------------------------------------------------------------------------------------


def test_nothing_is_learned_from_a_film():
    measuring = Measuring(assumed(LENS), CONFIG)
    for each in walked([straight((0.0, 4.0), (0.0, 2.5), 2.0 * n, 2.0 * n + 1.5) for n in range(5)], 14.0):
        measuring.take(each)
    assert measuring._parts is not None
    assert measuring._parts[0].norms.visits == 0


def test_a_film_is_held_against_what_the_door_has_learned():
    norms = Norms("camera assumed")
    for n in range(400):
        norms.learn({"glances": 5.0}, Moment(NOON + timedelta(minutes=15 * n)), str(n))
    glancing = list(
        walked([straight((0.0, 2.0), (0.0, 1.9), 0.0, 14.0)], 14.0, lambda now_s: 45.0 if now_s > 3 and now_s % 2 < 0.7 else 0.0)
    )

    def oddest(raw: bytes) -> float:
        measuring, most = Measuring(assumed(LENS), CONFIG, NOON, raw), 1.0
        for each in glancing:
            conduct = measuring.take(each)
            told = [
                item.p for person in (conduct.persons if conduct else ()) for item in person.evidence if item.kind == "glances"
            ]
            most = min([most, *(p for p in told if p is not None)])
        return most

    assert oddest(norms.encode()) > 0.3 > 0.1 > oddest(b"")


def test_norms_that_are_none_are_refused_and_a_door_without_any_has_learned_nothing(tmp_path):
    assert learned(tmp_path / "absent.norms") == b""
    (tmp_path / "door.norms").write_bytes(b"no norms")
    with pytest.raises(ConfigError, match="cannot be read as norms"):
        learned(tmp_path / "door.norms")


# -- the floor -----------------------------------------------------------------------------------------------------------------


def test_a_marked_floor_is_called_measured(tmp_path):
    path = tmp_path / "floor.toml"
    path.write_text(GOOD_FLOOR)
    plan, says = marked(path, LENS)(FRAME_PX)
    assert plan.ground.kind == "measured"
    assert says == "measured: the floor marked in floor.toml"


def test_a_marked_floor_holds_for_the_same_pictures_in_another_size_and_not_for_another_shape(tmp_path):
    path = tmp_path / "floor.toml"
    path.write_text(GOOD_FLOOR)
    plan, _ = marked(path, LENS)((1280, 960))
    assert plan.ground.frame_px == (1280, 960)
    with pytest.raises(FilmError, match=r"marked on pictures of 640 x 480 px, and this film's are 1280 x 720"):
        marked(path, LENS)((1280, 720))


def test_a_lens_that_is_guessed_beside_a_marked_floor_is_refused(tmp_path):
    path = tmp_path / "floor.toml"
    path.write_text(GOOD_FLOOR)
    with pytest.raises(ConfigError, match=r"--tilt-deg: the floor in .* was marked"):
        marked(path, LENS, "--tilt-deg")


def test_zones_without_marked_points_lie_on_an_assumed_floor_that_is_called_so(tmp_path):
    path = tmp_path / "zones.toml"
    path.write_text('[[zones]]\nname = "stairs"\nkind = "restricted"\ncorners_m = [[1, 1], [2, 1], [2, 2]]\n')
    plan, says = marked(path, LENS)(FRAME_PX)
    assert plan.ground.kind == "assumed"
    assert plan.zones[0].name == "stairs"
    assert says.startswith("assumed: lens 70 deg")


def test_a_zone_outside_of_the_pictures_is_an_error_of_that_film(tmp_path):
    path = tmp_path / "zones.toml"
    path.write_text('[[zones]]\nname = "stairs"\nkind = "restricted"\ncorners_px = [[600, 400], [900, 400], [900, 470]]\n')
    measuring = Measuring(marked(path, LENS), CONFIG)
    with pytest.raises(FilmError, match="outside the picture"):
        measuring.take(observation(face()))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("not toml at all [", "not valid TOML"),
        ("points = 3\n", "points"),
        ("colour = 'blue'\n", "allowed: camera, frame_px"),
        (b"\xff\xfe\x00", "cannot be read"),
    ],
)
def test_a_file_that_is_no_floor_is_refused_with_what_is_allowed(tmp_path, text, said):
    path = tmp_path / "floor.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ConfigError, match=said) as caught:
        marked(path, LENS)
    assert "floor.toml" in str(caught.value)


def test_a_floor_that_is_not_there_says_how_to_make_one(tmp_path):
    with pytest.raises(ConfigError, match="doorward floor mark"):
        marked(tmp_path / "absent.toml", LENS)
