"""Makes mysql.pcapng: what the command line client and PyMySQL say to a real MariaDB, in a private network.

    python -m tests.data.protocols.make_mysql          (mariadb-server, mariadb-client)

It records itself in the lab. The conversations: statements of each kind with their results, an error,
a prepared statement, several results at once, a wrong password, a transaction that is left open.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.data.protocols.recording import recorded

CAPTURE = Path(__file__).with_name("mysql.pcapng")
PORT = 3306
SQL = """
CREATE TABLE fruit (id INT PRIMARY KEY AUTO_INCREMENT, name TEXT, price DECIMAL(5, 2));
INSERT INTO fruit (name, price) VALUES ('apple', 1.5), ('pear', 2.25), ('fig', NULL);
SELECT * FROM fruit ORDER BY id;
SELECT nothing FROM nowhere;
UPDATE fruit SET price = 3;
PREPARE one FROM 'SELECT name FROM fruit WHERE id = ?';
SET @id = 2;
EXECUTE one USING @id;
SELECT SLEEP(0.05);
"""


def play() -> None:
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["mariadb-install-db", f"--datadir={folder}/data", "--skip-test-db",
                        "--auth-root-authentication-method=normal"], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        server = subprocess.Popen(["/usr/sbin/mariadbd", "--no-defaults", f"--datadir={folder}/data",
                                   f"--socket={folder}/socket", f"--port={PORT}", "--bind-address=127.0.0.1",
                                   f"--pid-file={folder}/pid"], stderr=subprocess.DEVNULL)
        try:
            ping = ["mariadb-admin", "--no-defaults", f"--socket={folder}/socket", "-u", "root", "ping"]
            while subprocess.run(ping, check=False, capture_output=True).returncode:
                time.sleep(0.1)
            setup = ("CREATE DATABASE shop; CREATE USER ada@'127.0.0.1' IDENTIFIED BY 'secret'; "
                     "GRANT ALL ON shop.* TO ada@'127.0.0.1';")
            root = ["mariadb", "--no-defaults", f"--socket={folder}/socket", "-u", "root"]
            subprocess.run([*root, "-e", setup], check=True)
            client("secret", SQL)
            client("wrong", "SELECT 1;")
            client("secret", "BEGIN; UPDATE fruit SET price = 9;")
            subprocess.run([*command("secret"), "--delimiter=//"], check=False, text=True,
                           capture_output=True, input="SELECT 1; SELECT 2, 3; DO 1//\n")
        finally:
            server.terminate()
            server.wait()


def command(password: str) -> list[str]:
    return ["mariadb", "--no-defaults", "-h", "127.0.0.1", "-P", str(PORT), "-u", "ada", f"-p{password}",
            "--force", "shop"]


def client(password: str, script: str) -> None:
    subprocess.run(command(password), input=script, text=True, check=False, capture_output=True)


if __name__ == "__main__":
    play() if sys.argv[1:] == ["play"] else recorded(CAPTURE)
