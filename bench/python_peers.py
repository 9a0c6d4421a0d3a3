"""The HTTP clients of Python for `bench/http`: reads `CLIENT ROW AUTHORITY CALLS` lines, answers each with `done`.

With these four as arguments it does that one thing and ends.
"""

import asyncio
import sys
from concurrent.futures import ThreadPoolExecutor

SMALL, LARGE, PIECE, WAYS = 1024, 64 * 1024 * 1024, 64 * 1024, 64
JSON = b'{"station":"A-17","serial":"0123456789","result":"passed","note":"' + b"n" * 132 + b'"}'
HEADERS = {"Content-Type": "application/json"}
BULK = b"y" * LARGE if len(sys.argv) == 1 else b""
LOOP = asyncio.new_event_loop()


def pieces():
    for start in range(0, LARGE, PIECE):
        yield BULK[start:start + PIECE]


async def pieces_async():
    for piece in pieces():
        yield piece


def check(row, length):
    assert length == (LARGE if row.startswith("download") else SMALL if row in ("get", "get64", "cold") else length), length


class Requests:
    def __init__(self):
        import requests
        from requests.adapters import HTTPAdapter
        self.session = requests.Session()
        self.session.mount("http://", HTTPAdapter(pool_maxsize=WAYS))

    def call(self, row, base):
        if row == "post":
            return len(self.session.post(base + "/sink", data=JSON, headers=HEADERS).content)
        if row == "upload-bytes":
            return len(self.session.post(base + "/sink", data=BULK).content)
        if row == "upload-stream":
            return len(self.session.post(base + "/sink", data=pieces()).content)
        if row == "download-collected":
            return len(self.session.get(base + "/large").content)
        if row == "download-streamed":
            with self.session.get(base + "/large", stream=True) as reply:
                return sum(len(piece) for piece in reply.iter_content(PIECE))
        return len(self.session.get(base + "/items").content)

    def run(self, row, base, calls):
        if row == "get64":
            def some(_):
                for _ in range(calls // WAYS):
                    check(row, self.call(row, base))
            with ThreadPoolExecutor(WAYS) as pool:
                list(pool.map(some, range(WAYS)))
            return
        for _ in range(calls):
            check(row, self.call(row, base))

    def close(self):
        self.session.close()


class Asynchronous:
    def run(self, row, base, calls):
        LOOP.run_until_complete(self.some(row, base, calls))

    async def some(self, row, base, calls):
        async def turn(count):
            for _ in range(count):
                check(row, await self.call(row, base))
        if row == "get64":
            await asyncio.gather(*(turn(calls // WAYS) for _ in range(WAYS)))
        else:
            await turn(calls)

    def close(self):
        LOOP.run_until_complete(self.shut())


class Httpx(Asynchronous):
    def __init__(self):
        import httpx
        limits = httpx.Limits(max_connections=WAYS, max_keepalive_connections=WAYS)
        self.client = httpx.AsyncClient(limits=limits, timeout=60)

    async def call(self, row, base):
        if row == "post":
            return len((await self.client.post(base + "/sink", content=JSON, headers=HEADERS)).content)
        if row == "upload-bytes":
            return len((await self.client.post(base + "/sink", content=BULK)).content)
        if row == "upload-stream":
            return len((await self.client.post(base + "/sink", content=pieces_async())).content)
        if row == "download-collected":
            return len((await self.client.get(base + "/large")).content)
        if row == "download-streamed":
            async with self.client.stream("GET", base + "/large") as reply:
                length = 0
                async for piece in reply.aiter_bytes():
                    length += len(piece)
                return length
        return len((await self.client.get(base + "/items")).content)

    async def shut(self):
        await self.client.aclose()


class Aiohttp(Asynchronous):
    client = None

    async def call(self, row, base):
        if self.client is None:
            import aiohttp
            self.client = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=WAYS))
        if row in ("post", "upload-bytes", "upload-stream"):
            data = {"post": JSON, "upload-bytes": BULK}.get(row)
            headers = HEADERS if row == "post" else None
            async with self.client.post(base + "/sink", data=pieces_async() if data is None else data, headers=headers) as reply:
                return len(await reply.read())
        path = "/large" if row.startswith("download") else "/items"
        async with self.client.get(base + path) as reply:
            if row == "download-streamed":
                length = 0
                async for piece in reply.content.iter_any():
                    length += len(piece)
                return length
            return len(await reply.read())

    async def shut(self):
        await self.client.close()


CLIENTS = {"requests": Requests, "httpx": Httpx, "aiohttp": Aiohttp}
KEPT = {}


def do(client, row, authority, calls):
    base = "http://" + authority
    if row == "cold":
        for _ in range(calls):
            fresh = CLIENTS[client]()
            fresh.run(row, base, 1)
            fresh.close()
        return
    if (client, authority) not in KEPT:
        KEPT[client, authority] = CLIENTS[client]()
    KEPT[client, authority].run(row, base, calls)


def main():
    if len(sys.argv) == 5:
        client, row, authority, calls = sys.argv[1:]
        do(client, row, authority, int(calls))
        KEPT[client, authority].close()
        return
    for line in sys.stdin:
        client, row, authority, calls = line.split()
        if row == "process":
            import subprocess
            for _ in range(int(calls)):
                subprocess.run([sys.executable, __file__, client, "get", authority, "1"], check=True)
        else:
            do(client, row, authority, int(calls))
        print("done", flush=True)


main()
