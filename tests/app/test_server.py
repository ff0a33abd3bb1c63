"""The server as a user starts it, from a folder unrelated to the project: its sockets and its options."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from streamlit import net_util
from streamlit.web.server.server_util import is_url_from_allowed_origins

from isp_app import server
from isp_app.settings import DATA, EMBEDDED, EMBEDDED_DATA, RUNS, read_settings

LOOPBACK = "0100007F"  # 127.0.0.1 as /proc/net/tcp writes it
LISTENING = "0A"
REPORT = """
import streamlit as st
for name in {names!r}:
    print(name, "=", st.get_option(name), flush=True)
"""


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def clean_environment(home: Path, **more: str) -> dict[str, str]:
    """This process's environment without any option of Streamlit or of ours, and a home with no configuration."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("STREAMLIT_", "ISP_"))}
    return {**kept, "HOME": str(home), "OMP_NUM_THREADS": "1", **more}


@contextlib.contextmanager
def started(command: Sequence[str], port: int, cwd: Path, environment: Mapping[str, str]) -> Iterator[int]:
    """The process id of a server that answers."""
    log = cwd / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=cwd, env=environment, stdout=output, stderr=subprocess.STDOUT)
    try:
        for _ in range(1200):
            assert process.poll() is None, log.read_text()
            with (
                contextlib.suppress(OSError),
                urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=5),
            ):
                break
            time.sleep(0.1)
        else:
            raise AssertionError(log.read_text())
        yield process.pid
    finally:
        process.terminate()
        process.wait(60)


def sockets(pid: int) -> list[tuple[str, str, str]]:
    """The TCP sockets of a process as the kernel lists them: (local address, remote address, state), in hexadecimal."""
    inodes = set()
    for handle in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            target = str(handle.readlink())
            if target.startswith("socket:["):
                inodes.add(target[8:-1])
    found = []
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text(encoding="ascii").splitlines()[1:]:
            fields = line.split()
            if fields[9] in inodes:
                found.append((fields[1], fields[2], fields[3]))
    return found


needs_proc = pytest.mark.skipif(not Path("/proc/self/net/tcp").exists(), reason="sockets are read from /proc")


@needs_proc
@pytest.mark.parametrize("by", ["streamlit run", "isp app"])
def test_started_from_an_unrelated_folder_it_listens_on_this_machine_alone_and_talks_to_nobody(
    by: str, tmp_path: Path
) -> None:
    port = free_port()
    command = {
        "streamlit run": [sys.executable, "-m", "streamlit", "run", str(server.MAIN), f"--server.port={port}"],
        "isp app": [sys.executable, "-m", "isp_core", "app", "--port", str(port)],
    }[by]
    with started(command, port, tmp_path, clean_environment(tmp_path)) as pid:
        seen = sockets(pid)
    listening = [local for local, _, state in seen if state == LISTENING]
    assert listening == [f"{LOOPBACK}:{port:04X}"]
    assert all(remote.split(":")[0] in (LOOPBACK, "00000000") for _, remote, _ in seen), seen
    said = (tmp_path / "server.log").read_text()
    assert "External URL" not in said
    assert "Network URL" not in said
    assert "Email" not in said


@needs_proc
def test_a_server_for_others_listens_where_it_is_told_and_asks_no_service_for_its_address(tmp_path: Path) -> None:
    port = free_port()
    command = [sys.executable, "-m", "isp_core", "app", "--port", str(port), "--share-on", "0.0.0.0"]
    with started(command, port, tmp_path, clean_environment(tmp_path)) as pid:
        seen = sockets(pid)
    assert [local for local, _, state in seen if state == LISTENING] == [f"00000000:{port:04X}"]
    assert all(remote.split(":")[0] in (LOOPBACK, "00000000") for _, remote, _ in seen), seen
    assert "External URL" not in (tmp_path / "server.log").read_text()


def test_options_are_in_force_from_any_folder_even_one_with_a_configuration_of_its_own(tmp_path: Path) -> None:
    other = tmp_path / ".streamlit"
    other.mkdir()
    (other / "config.toml").write_text('[browser]\ngatherUsageStats = true\n[server]\naddress = "0.0.0.0"\n')
    wanted = server.options()
    code = (
        "import sys, streamlit.config as config\n"
        f"config._main_script_path = {str(server.MAIN)!r}\n"  # what `streamlit run` does first
        "config.get_config_options(force_reparse=True)\n" + REPORT.format(names=list(wanted))
    )
    output = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=clean_environment(tmp_path), capture_output=True, text=True
    ).stdout
    said = dict(line.split(" = ", 1) for line in output.splitlines())
    assert said == {name: str(value) for name, value in wanted.items()}
    assert said["server.address"] == "127.0.0.1"
    assert said["browser.gatherUsageStats"] == "False"


def test_isp_app_puts_every_option_on_the_command_line_where_nothing_overrides_it() -> None:
    words = server.command(8600)
    assert words[1:5] == ["-m", "streamlit", "run", str(server.MAIN)]
    assert {"--server.address=127.0.0.1", "--server.port=8600", "--browser.gatherUsageStats=false"} <= set(words)
    assert {"--client.showErrorDetails=type", "--server.maxUploadSize=10"} <= set(words)
    assert "--server.address=192.0.2.7" in server.command(8600, "192.0.2.7")


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("browser.gatherUsageStats", True),
        ("client.showErrorDetails", "full"),
        ("server.enableXsrfProtection", False),
        ("server.enableCORS", False),
        ("server.address", None),
    ],
)
def test_the_server_refuses_to_start_where_an_option_would_not_be_private(option: str, value: object) -> None:
    given = {**server.options(), option: value}
    with pytest.raises(server.ServerError, match=option):
        server.require_private(given.__getitem__)
    server.require_private(server.options().__getitem__)


def test_streamlit_run_with_usage_statistics_ends_with_a_sentence(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "streamlit", "run", str(server.MAIN), f"--server.port={free_port()}"]
    done = subprocess.run(
        [*command, "--browser.gatherUsageStats=true"],
        cwd=tmp_path,
        env=clean_environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode != 0
    assert "browser.gatherUsageStats is True, and this app runs only with" in done.stderr


def test_a_foreign_origin_is_refused_without_a_request_to_the_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(net_util, "get_external_ip", net_util.get_external_ip)  # puts it back afterwards
    monkeypatch.setattr(net_util, "get_internal_ip", lambda: None)

    def request(*_: object, **__: object) -> str:
        raise AssertionError("asked the network")

    monkeypatch.setattr(net_util, "_make_blocking_http_get", request)
    server.ask_no_service()
    assert not is_url_from_allowed_origins("http://elsewhere.example")
    assert is_url_from_allowed_origins("http://127.0.0.1:8501")


def test_folders_given_are_added_to_the_embedded_study_and_to_those_of_the_environment(tmp_path: Path) -> None:
    made = server.environment({RUNS: "/a"}, [tmp_path / "mine"], [tmp_path])
    assert made[RUNS].split(os.pathsep) == ["/a", str(tmp_path / "mine")]
    read = read_settings(made, "127.0.0.1")
    assert read.run_roots == (EMBEDDED_DATA / "runs", Path("/a"), tmp_path / "mine")
    assert read.data_roots == (tmp_path,)
    assert DATA not in server.environment({}, [], [])


def test_without_folders_the_runs_of_the_working_directory_are_shown_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert read_settings({}, "127.0.0.1").run_roots[0] == EMBEDDED_DATA / "runs"
    assert read_settings({}, "127.0.0.1").run_roots[-1] == tmp_path / "runs"


def test_the_embedded_study_can_be_left_out(tmp_path: Path) -> None:
    made = server.environment({}, [tmp_path], [], embedded=False)
    assert made[EMBEDDED] == "0"
    assert read_settings(made, "127.0.0.1").run_roots == (tmp_path,)


def test_a_table_of_images_stands_for_its_folder(tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text("path,identity\n")
    (tmp_path / "note.jpg").write_text("")
    assert server.environment({}, [], [tmp_path / "people.csv"])[DATA] == str(tmp_path.resolve())
    with pytest.raises(server.ServerError, match=r"note\.jpg: no such folder"):
        server.environment({}, [], [tmp_path / "note.jpg"])


def test_a_data_folder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(server.ServerError, match="nowhere: no such folder"):
        server.environment({}, [], [tmp_path / "nowhere"])
    (tmp_path / "file").write_text("")
    with pytest.raises(server.ServerError, match="is a file"):
        server.environment({}, [tmp_path / "file"], [])
