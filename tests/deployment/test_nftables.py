"""The firewall's rules, applied by the kernel in network namespaces of the test's own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.missing import miss

RULES = Path(__file__).parents[2] / "deploy" / "menagerie.nft"
LIMIT = 100
SYSTEM = "/usr/sbin:/sbin:/usr/bin:/bin"

# A caller in a namespace of its own opens connections to a server behind the rules, and prints how many.
SCRIPT = """
set -e
mount -t tmpfs none /run
ip netns add caller
ip link add server type veth peer name caller netns caller
ip address add 192.0.2.1/24 dev server
ip address add 2001:db8::1/64 dev server nodad
ip link set server up
ip -n caller address add 192.0.2.2/24 dev caller
ip -n caller address add 2001:db8::2/64 dev caller nodad
ip -n caller link set caller up
nft -f "$RULES"
"$PYTHON" -c "$SERVER" "$ADDRESS" "$PORT" &
sleep 1
ip netns exec caller "$PYTHON" -c "$CALLER" "$ADDRESS" "$PORT"
kill %1
"""
SERVER = """
import socket, sys, time
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
listener = socket.socket(family)
listener.bind((sys.argv[1], int(sys.argv[2])))
listener.listen(512)
time.sleep(60)
"""
CALLER = """
import socket, sys
held = []
try:
    while len(held) < 150:
        held.append(socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=5))
except ConnectionError:
    pass
print(len(held))
"""


@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8::1"])
@pytest.mark.parametrize(("port", "expected"), [(8003, LIMIT), (22, 150)])
def test_one_address_has_so_many_connections(address: str, port: int, expected: int) -> None:
    if shutil.which("nft", path=SYSTEM) is None:
        miss("nft is not installed")
    if shutil.which("ip", path=SYSTEM) is None:
        miss("ip is not installed")
    command = ["unshare", "--user", "--map-root-user", "--net", "--mount", "bash", "-c", SCRIPT]
    variables = {"RULES": RULES, "PYTHON": sys.executable, "SERVER": SERVER, "CALLER": CALLER}
    environment = {"PATH": SYSTEM, "ADDRESS": address, "PORT": str(port)} | {
        name: str(value) for name, value in variables.items()
    }
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout.strip()) == (0, str(expected)), result.stderr
