"""A worker in plain Python: JSON lines come in on stdin, answers go out on what was stdout."""
import collections, json, os, pathlib, queue, shutil, sys, threading, time

out = os.fdopen(os.dup(1), "w", encoding="utf-8")
os.dup2(2, 1)  # From here on a print, or a library's, lands in the stage's log.
cancelled, jobs = set(), queue.Queue()


def send(**message):
    # NaN is not JSON: allow_nan makes it an error here instead of a riddle there.
    out.write(json.dumps(message, ensure_ascii=False, allow_nan=False) + "\n")
    out.flush()


def count(job):
    source = job["inputs"]["data"]
    words = collections.Counter()
    for done, name in enumerate(source["files"], 1):
        for line in pathlib.Path(source["dir"], name).read_text("utf-8").splitlines():
            words.update(json.loads(line)["prompt"].lower().split())
        send(type="progress", id=job["id"], done=done, total=len(source["files"]), unit="files", values={})
    text = json.dumps(dict(sorted(words.items())), ensure_ascii=False, indent=1)
    pathlib.Path(job["outputs"]["words"], "words.json").write_text(text + "\n", "utf-8")
    return {"words": len(words)}


def conformance(job):  # What `sluice worker check` asks for.
    print(job["with"]["print"])
    for name in job["inputs"]["text"]["files"]:
        shutil.copy(os.path.join(job["inputs"]["text"]["dir"], name), job["outputs"]["copy"])
    for step in range(1, job["with"]["steps"] + 1):
        time.sleep(0.02)
        if job["id"] in cancelled:
            raise InterruptedError
        send(type="progress", id=job["id"], done=step, total=job["with"]["steps"], unit="steps", values={})
    return {"files": len(job["inputs"]["text"]["files"])}


def read():
    for line in sys.stdin:
        try:
            message = json.loads(line)
            kind = message["type"]
        except (ValueError, TypeError, KeyError):
            print("not a message:", line)
            continue
        if kind == "hello":
            send(type="ready", protocol=1, worker="vocabulary", ops=list(OPS), versions={"python": sys.version.split()[0]}, devices=["cpu"])
        elif kind == "job":
            jobs.put(message)
        elif kind == "cancel":
            cancelled.add(message["id"])
        elif kind == "bye":
            break
    os._exit(0)  # Whoever wanted the result is gone.


OPS = {"count": count, "conformance": conformance}
threading.Thread(target=read, daemon=True).start()
while job := jobs.get():
    try:
        send(type="started", id=job["id"])
        send(type="done", id=job["id"], summary=OPS[job["op"]](job))
    except InterruptedError:
        send(type="failed", id=job["id"], kind="cancelled", message="stopped on request", help=None, detail=None)
    except Exception as error:
        send(type="failed", id=job["id"], kind="bug", message=f"{type(error).__name__}: {error}", help=None, detail=None)
