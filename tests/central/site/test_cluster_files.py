"""What `doorward central cluster` writes, and what it refuses."""

from __future__ import annotations

import tarfile
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.cli import main
from agent.config import parse_config
from agent.errors import ConfigError
from agent.sections import Link
from central.settings import load_settings
from central.site.doors import enrol, revoke
from central.site.folder import Site
from central.site.nats import subjects
from central.site.running import where_cluster
from tests.central.site.sites import made, now

NODES = ["--node", "n1=127.0.0.1", "--node", "n2=127.0.0.2", "--node", "n3=127.0.0.3", "--own-addresses"]
LEVELS = st.lists(st.text("abcz09_-", min_size=1, max_size=8), min_size=1, max_size=6)


def cluster(folder: Path, *options: str) -> Site:
    made(folder)
    assert main(["central", "cluster", str(folder / "site"), *NODES, "--data-folder", str(folder / "data"), *options]) == 0
    return Site.open(folder / "site")


def refusal(folder: Path, capsys: pytest.CaptureFixture[str], *options: str) -> str:
    made(folder)
    assert main(["central", "cluster", str(folder / "site"), *options]) == 2
    assert not (folder / "site" / "nats").exists()
    return capsys.readouterr().err


@given(LEVELS)
def test_a_topic_of_ours_and_its_subject_are_the_same_words(levels: list[str]) -> None:
    assert subjects("/".join(levels)) == [".".join(levels)]


def test_wildcards_mean_the_same_and_what_would_mean_something_else_is_refused() -> None:
    assert subjects("doorward/+/+/evt") == ["doorward.*.*.evt"]
    assert subjects("doorward/hq/front/state/#") == ["doorward.hq.front.state", "doorward.hq.front.state.>"]
    for bad in ("a.b/c", "a b", "a//b", "a/>", "*/b", ""):
        with pytest.raises(ConfigError, match="NATS"):
            subjects(bad)


def test_every_node_knows_the_others_and_lets_in_nobody_who_has_no_certificate(tmp_path: Path) -> None:
    site = cluster(tmp_path)
    written = {path.name: (path / "nats.conf").read_text() for path in (site.root / "nats").iterdir() if path.is_dir()}
    assert sorted(written) == ["n1", "n2", "n3"]
    for name, text in written.items():
        assert f"server_name: {name}" in text
        assert "verify_and_map: true" in text
        assert text.count("nats://routes:") == 3
    assert len({path.read_text() for path in site.root.glob("nats/*/access.conf")}) == 1


def test_keys_are_for_their_owner_and_the_server_alone(tmp_path: Path) -> None:
    for path in (cluster(tmp_path).root / "nats").rglob("*"):
        assert path.stat().st_mode & 0o007 == 0, path


def test_a_second_time_it_keeps_every_key_and_what_was_said_before(tmp_path: Path) -> None:
    site = cluster(tmp_path)
    before = {path: path.read_bytes() for path in site.root.glob("nats/*/server.*")}
    assert len(before) == 6
    assert main(["central", "cluster", str(site.root), "--port", "9883"]) == 0
    assert before == {path: path.read_bytes() for path in site.root.glob("nats/*/server.*")}
    assert '"127.0.0.2:9883"' in (site.root / "nats/n2/nats.conf").read_text()


def test_a_new_door_finds_all_nodes_and_one_that_was_revoked_is_in_no_list(tmp_path: Path) -> None:
    site = cluster(tmp_path)
    done = enrol(site, "hq", "front", "", tmp_path, now())
    with tarfile.open(done.archive) as archive:
        archive.extractall(tmp_path / "front")
    link = parse_config_of(tmp_path / "front" / "link.toml")
    assert (link.host, link.other_hosts, link.qos) == ("127.0.0.1", ("127.0.0.2", "127.0.0.3"), 0)
    access = site.root / "nats" / "n3" / "access.conf"
    assert f"urn:doorward:certificate:{done.serial}" in access.read_text()
    revoke(site, "hq", "front", now())
    assert "hq.front" not in access.read_text()


def parse_config_of(path: Path) -> Link:
    told = msgspec.toml.decode(path.read_bytes())
    return parse_config({key: value for key, value in told.items() if key != "records"}).link


def test_the_lines_for_the_centre_are_what_its_settings_take(tmp_path: Path) -> None:
    site = cluster(tmp_path)
    assert site.settings.cluster is not None
    path = tmp_path / "central.toml"
    path.write_text(f"[broker]\n{where_cluster(site.settings.cluster)}\n")
    assert load_settings(path).broker.address().other_hosts == ("127.0.0.2", "127.0.0.3")


def test_two_nodes_cannot_agree_and_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "1, 3, 5, 7 or 9" in refusal(tmp_path, capsys, "--node", "n1=a.example.org", "--node", "n2=b.example.org")


@pytest.mark.parametrize(
    ("nodes", "says"),
    [
        ([], "--node n1="),
        (["--node", "n1"], "NAME=HOST"),
        (["--node", "n.1=a"], "nodes"),
        (["--node", "n1=a b"], "a name as n1.example.org"),
        (["--node", "n1=a", "--node", "n1=b", "--node", "n2=c"], "same name"),
        (["--node", "n1=a", "--port", "70000"], "port"),
        (["--node", "n1=a", "--data-folder", '/x"y'], "without spaces"),
    ],
)
def test_what_would_spoil_the_configuration_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], nodes: list[str], says: str
) -> None:
    assert says in refusal(tmp_path, capsys, *nodes)


def test_a_persons_program_comes_with_a_certificate_or_not_at_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site = cluster(tmp_path)
    words = ["central", "person-account", str(site.root), "add", "ada", "--role", "guard"]
    assert main(words) == 2
    assert "--out DIR" in capsys.readouterr().err
    assert main([*words, "--out", str(tmp_path)]) == 0
    assert (tmp_path / "ada.key").stat().st_mode & 0o777 == 0o600
    assert "doorward.*.*.cmd.ada.unlock" in (site.root / "nats/n1/access.conf").read_text()
    assert main(["central", "person-account", str(site.root), "remove", "ada"]) == 0
    assert "ada" not in (site.root / "nats/n1/access.conf").read_text()
