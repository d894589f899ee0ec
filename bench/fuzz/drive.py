"""Starts both planes, gives them a tenant with rows and calls, and runs Schemathesis against the REST API with each kind of
key."""

import argparse
import base64
import hashlib
import hmac
import json
import os
import pathlib
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

OPERATOR_KEY = "an-operator-key-for-fuzzing-0123456789"
SETTINGS = {
    "ADMIN_LISTEN": "127.0.0.1:0",
    "ADMIN_OPS_LISTEN": "127.0.0.1:0",
    "ADMIN_BOOTSTRAP_KEY": OPERATOR_KEY,
    "ADMIN_ENCRYPTION_KEY": "an-encryption-key-for-fuzzing-0123456789",
    "FEED_KEY": "a-feed-key-for-fuzzing-0123456789",
    # Rates would answer most of it.
    "ADMIN_RATE_LIMIT": "0",
    "ADMIN_FAILURE_LIMIT": "0",
}
PUBLIC_URL = "https://calls.example"
# What is waited for takes milliseconds.
PATIENCE_S = 60
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
)
# A stream of events doesn't end, and Schemathesis reads answers whole. With all of a key's streams taken, those that
# would be opened are refused, as documented.
STREAMS_MAX = 20


class Plane:
    """A running program."""

    def __init__(self, command, settings, log, announced):
        self.log = open(log, "wb")
        self.process = subprocess.Popen(
            command, env=os.environ | settings, stdout=subprocess.PIPE, stderr=self.log, text=True
        )
        words = self.process.stdout.readline().split()
        if announced not in words:
            sys.exit(f"fuzz: {command[0]} doesn't start; see {self.log.name}")
        self.address = words[words.index(announced) + 1].removeprefix("http://")

    def stop(self):
        """Ends it; its exit status."""
        self.process.terminate()
        return self.process.wait(timeout=60)


class Router(Plane):
    """A running router."""

    def __init__(self, program, work):
        settings = {
            "ROUTER_LISTEN": "127.0.0.1:0",
            "ROUTER_OPS_LISTEN": "127.0.0.1:0",
            "PUBLIC_URLS": PUBLIC_URL,
            "FEED_KEY": SETTINGS["FEED_KEY"],
        }
        super().__init__([program], settings, work / "router.log", "webhooks")

    def tell(self, kind, account, secret, parameters):
        """What a signed webhook of Twilio's is answered. Source: Twilio, "Webhooks security"."""
        path = f"/webhooks/twilio/{kind}/{account}"
        text = PUBLIC_URL + path + "".join(name + parameters[name] for name in sorted(parameters))
        signature = base64.b64encode(hmac.new(secret.encode(), text.encode(), hashlib.sha1).digest()).decode()
        body, headers = urllib.parse.urlencode(parameters).encode(), {"X-Twilio-Signature": signature}
        request = urllib.request.Request(f"http://{self.address}{path}", body, headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.read()
        except urllib.error.HTTPError as error:
            return error.read()


class Admin(Plane):
    """A running admin plane."""

    def __init__(self, program, work):
        super().__init__([program, "serve", "--migrate"], SETTINGS, work / "admin.log", "api")
        self.url = f"http://{self.address}"

    def send(self, method, path, body=b"", **headers):
        """What an operator's request that has to succeed is answered."""
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        headers["Authorization"] = f"Bearer {OPERATOR_KEY}"
        request = urllib.request.Request(f"{self.url}/api/v2{path}", body, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.read()
        except urllib.error.HTTPError as error:
            sys.exit(f"fuzz: {method} {path}: {error.code} {error.read().decode()}")

    def create(self, path, body):
        """What was created."""
        return json.loads(self.send("POST", path, json.dumps(body).encode(), Content_Type="application/json"))


def wait_for(what, look):
    """What `look` finds, once it does."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        if found := look():
            return found
        time.sleep(0.02)
    sys.exit(f"fuzz: waited for {what} for {PATIENCE_S} s")


def call(admin, router, ids, credentials, number):
    """A call that was answered and is over, and one for a number that nobody has: their ids."""
    parameters = {"From": "+15105550198", "To": number, "CallStatus": "ringing", "Direction": "inbound"}
    parameters["AccountSid"] = credentials["account_sid"]
    told = (ids["account_id"], credentials["auth_token"])

    def ring(sid, to):
        return router.tell("voice", *told, parameters | {"CallSid": sid, "To": to})

    sid = credentials["account_sid"].replace("AC", "CA")
    wait_for("the router to know the number", lambda: b"<Stream" in ring(sid, number))
    ring(sid + "0", "+12125550999")
    over = {"CallSid": sid, "CallStatus": "completed", "CallDuration": "61"}
    router.tell("status", *told, parameters | over)

    def first(path):
        items = json.loads(admin.send("GET", path))["items"]
        return items[0]["id"] if items else None

    ids["call_id"] = wait_for("the call's record", lambda: first(f"/tenants/{ids['tenant_id']}/calls"))
    ids["refused_call_id"] = wait_for("the refused call", lambda: first("/refused-calls"))


def rows(admin, router, suffix):
    """A tenant with one of everything: ids by the names of the paths' parameters, and its key."""
    tenant = admin.create("/tenants", {"name": "Fuzzed", "timezone": "America/New_York"})["id"]
    below = f"/tenants/{tenant}"
    ids = {"tenant_id": tenant}
    credentials = {"account_sid": f"AC{suffix:032x}", "auth_token": f"{suffix:032x}"}
    account = {"provider": "twilio", "label": "main", "credentials": credentials}
    ids["account_id"] = admin.create(f"{below}/accounts", account)["id"]
    target = {"type": "stream", "url": "wss://voice.example/agent"}
    agent = {"name": "Front desk", "language": "en", "provider": "custom", "target": target}
    ids["agent_id"] = admin.create(f"{below}/agents", agent)["id"]
    number = {
        "source": "manual",
        "phone_number": f"+121255501{suffix:02}",
        "account_id": ids["account_id"],
        "agent_id": ids["agent_id"],
        "display_name": "Broadway",
        "timezone": "America/New_York",
    }
    ids["phone_number_id"] = admin.create(f"{below}/phone-numbers", number)["id"]
    intent = {"name": "book", "phrases": ["I'd like to come in"], "responses": {"en": "Gladly."}}
    ids["intent_id"] = admin.create(f"{below}/intents", intent)["id"]
    # A file of which more is to come.
    path, headers = "/imports?kind=numbers&format=jsonl", {"Content_Type": "application/jsonl", "Upload_Complete": "?0"}
    ids["import_id"] = json.loads(admin.send("POST", path, b"{}\n", **headers))["id"]
    job = {"source": "port_in", "phone_number": f"+12125552{suffix:03}", "agent_id": ids["agent_id"]}
    ids["job_id"] = admin.create(f"{below}/phone-numbers", job)["id"]
    ids["plan_name"] = admin.create("/plans", {"name": f"plan-{suffix}", "calls_max": 10})["name"]
    call(admin, router, ids, credentials, number["phone_number"])
    key = admin.create(f"{below}/api-keys", {"name": "fuzz", "role": "admin"})
    ids["api_key_id"] = key["id"]
    return ids, key["key"]


def take_streams(admin, tenant, key):
    """Opens as many streams as one key may have. They end with their sockets."""
    host, port = admin.url.removeprefix("http://").rsplit(":", 1)
    streams = []
    for _ in range(STREAMS_MAX):
        stream = socket.create_connection((host, int(port)))
        target = f"/api/v2/tenants/{tenant}/events"
        stream.sendall(
            f"GET {target} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {key}\r\n\r\n".encode()
        )
        if b" 200 " not in stream.recv(64):
            sys.exit("fuzz: a stream of events wasn't opened")
        streams.append(stream)
    return streams


def fuzz(admin, who, key, ids, options):
    """Runs Schemathesis with one key; whether all was as documented."""
    here = pathlib.Path(__file__).parent
    print(f"\n=== with the {who}'s key, seed {options.seed}, {options.seconds} s at most", flush=True)
    command = [
        pathlib.Path(sys.executable).with_name("schemathesis"),
        "run",
        f"{admin.url}/api/v2/openapi.json",
        f"--header=Authorization: Bearer {key}",
        f"--checks={','.join(CHECKS)}",
        f"--seed={options.seed}",
        f"--max-time={options.seconds}",
        f"--report-junit-path={options.work / f'{who}.xml'}",
        "--report=junit",
        "--generation-database=none",
        "--continue-on-failure",
        "--request-timeout=10",
        "--suppress-health-check=all",
        "--no-color",
    ]
    environment = {"SCHEMATHESIS_HOOKS": "hooks", "PYTHONPATH": str(here), "PYTHONDONTWRITEBYTECODE": "1"}
    environment["FUZZ_IDS"] = json.dumps(ids)
    return subprocess.run(command, env=os.environ | environment, cwd=options.work, check=False).returncode == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--admin", required=True, help="the program dialplane-admin")
    parser.add_argument("--router", required=True, help="the program dialplane-router")
    parser.add_argument("--work", required=True, type=pathlib.Path, help="where logs and reports go")
    parser.add_argument("--seconds", type=int, default=120, help="limit of one run")
    parser.add_argument("--seed", type=int, default=int(os.environ.get("FUZZ_SEED", "20261121")))
    parser.add_argument("--only", choices=("operator", "tenant"), help="only with this key")
    options = parser.parse_args()
    admin, router = Admin(options.admin, options.work), Router(options.router, options.work)
    good = True
    try:
        for suffix, who in enumerate(("operator", "tenant"), 10):
            if options.only in (None, who):
                ids, tenant_key = rows(admin, router, suffix)
                key = OPERATOR_KEY if who == "operator" else tenant_key
                streams = take_streams(admin, ids["tenant_id"], key)
                good &= fuzz(admin, who, key, ids, options)
                for stream in streams:
                    stream.close()
    finally:
        statuses = [(plane.stop(), plane.log.name) for plane in (admin, router)]
    for status, log in statuses:
        if status != 0:
            print(f"fuzz: a plane ended with {status}; see {log}")
    sys.exit(0 if good and not any(status for status, _ in statuses) else 1)


if __name__ == "__main__":
    main()
