"""Runs each line of standard input as a Cypher statement, and stays logged in.

`:begin` and `:commit` put an explicit transaction around statements. Needs NEO4J_URI
and either NEO4J_TOKEN_FILE or NEO4J_CREDENTIALS, a folder. Refuses to end for want of
a token: it says `retry` and tries again.
"""

import os
import sys
import time
from pathlib import Path

from neo4j import GraphDatabase
from neo4j.auth_management import AuthManager
from neo4j.exceptions import AuthError, DriverError, Neo4jError, ServiceUnavailable

from token_file import NoToken, token_file


def auth_manager() -> AuthManager:
    if folder := os.environ.get("NEO4J_CREDENTIALS"):
        from client_credentials import client_credentials

        margin = float(os.environ.get("NEO4J_TOKEN_MARGIN", "30"))
        return client_credentials(Path(folder), margin)
    reread = float(os.environ.get("NEO4J_TOKEN_REREAD", "60"))
    return token_file(Path(os.environ["NEO4J_TOKEN_FILE"]), reread)


def show(records) -> None:
    for record in records:
        print("row", *record.values())
    print("ok", flush=True)


def patiently(work):
    """Does `work`, again and again while the server does not let us in."""
    while True:
        try:
            return work()
        except (NoToken, AuthError, ServiceUnavailable) as error:
            reason = getattr(error, "code", None) or error
            print(f"retry: {reason}", flush=True)
            time.sleep(1)


def main() -> None:
    # The driver itself tries again for so long; then we are told.
    patience = 5
    with GraphDatabase.driver(
        os.environ["NEO4J_URI"],
        auth=auth_manager(),
        max_transaction_retry_time=patience,
    ) as driver:
        session = transaction = None
        for line in sys.stdin:
            statement = line.strip()
            try:
                if statement == ":begin":
                    session = driver.session()
                    transaction = patiently(session.begin_transaction)
                    print("ok", flush=True)
                elif statement == ":commit":
                    transaction.commit()
                    session.close()
                    session = transaction = None
                    print("ok", flush=True)
                elif transaction:
                    show(transaction.run(statement))
                else:
                    show(patiently(lambda: driver.execute_query(statement)).records)
            except (DriverError, Neo4jError) as error:
                # Of a transaction nothing is left: only its author can begin again.
                if session:
                    session.close()
                session = transaction = None
                print(f"failed: {getattr(error, 'code', error)}", flush=True)


if __name__ == "__main__":
    main()
