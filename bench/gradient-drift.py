"""Do our gradients stray from float64 further than PyTorch's own float32 ones? See docs/notes/gradient-drift.md.

Usage: gradient-drift.py WORKDIR [SEED] [STEPS]
Needs torch, transformers and the project's node_modules. WORKDIR takes about 50 MB per step.
"""

import json
import os
import subprocess
import sys

import numpy as np
import torch
import torch.nn.functional as F

os.environ.setdefault("HF_HUB_OFFLINE", "1")
from transformers import LlamaConfig, LlamaForCausalLM  # noqa: E402

HIDDEN, LAYERS, HEADS, KV, FFN, VOCAB = 256, 6, 8, 4, 688, 4096
HEAD_DIM = HIDDEN // HEADS
ROWS, LENGTH, DISTINCT = 4, 256, 50
LR, CLIP, DECAY, EPS, THETA = 1e-3, 0.5, 0.01, 1e-5, 10000.0
THREADS = 2
ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")


def main(work, seed=1, steps=20):
    os.makedirs(work, exist_ok=True)
    torch.set_num_threads(THREADS)
    torch.manual_seed(seed)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=VOCAB, hidden_size=HIDDEN, intermediate_size=FFN, num_hidden_layers=LAYERS,
            num_attention_heads=HEADS, num_key_value_heads=KV, rms_norm_eps=EPS, max_position_embeddings=LENGTH,
            tie_word_embeddings=False, use_cache=False, attn_implementation="sdpa",
        )
    )  # fmt: skip
    model.config.save_pretrained(work)
    choice = torch.randperm(VOCAB)[:DISTINCT]
    tokens = choice[torch.randint(DISTINCT, (ROWS, LENGTH + 1))]
    tokens.numpy().astype("<i4").tofile(f"{work}/tokens.bin")
    with open(f"{work}/case.json", "w") as file:
        json.dump({"rows": ROWS, "length": LENGTH, "lr": LR, "clip": CLIP, "decay": DECAY}, file)

    ours = Ours(work)
    views = ours.views
    named = dict(model.named_parameters())
    assert set(named) == {view["name"] for view in views}
    start = np.concatenate([named[view["name"]].detach().numpy().ravel() for view in views])

    def transformers32(flat):
        with torch.no_grad():
            for view in views:
                named[view["name"]].copy_(torch.from_numpy(part(flat, view)).view(view["shape"]))
        model.zero_grad(set_to_none=True)
        logits = model(input_ids=tokens[:, :-1]).logits
        loss = F.cross_entropy(logits.reshape(-1, VOCAB), tokens[:, 1:].reshape(-1))
        loss.backward()
        return loss.item(), np.concatenate([named[view["name"]].grad.numpy().ravel() for view in views])

    def plain(dtype, rope):
        def gradient(flat):
            leaves = {
                view["name"]: torch.from_numpy(part(flat, view)).to(dtype).view(view["shape"]).requires_grad_()
                for view in views
            }
            loss = plain_loss(leaves, tokens, dtype, rope)
            loss.backward()
            return loss.item(), np.concatenate([leaves[view["name"]].grad.numpy().ravel() for view in views])

        return gradient

    def one_thread(flat):
        torch.set_num_threads(1)
        try:
            return transformers32(flat)
        finally:
            torch.set_num_threads(THREADS)

    # Both sides compute rotary angles in float32. That is part of what they compute and no error of their arithmetic,
    # so the reference uses the same tables; what they cost is a line of its own.
    reference64 = plain(torch.float64, rope_tables(torch.float32))
    sides = {
        "ours": ours.gradient,
        "torch32": transformers32,
        "torch32 1 thread": one_thread,
        "plain torch32": plain(torch.float32, rope_tables(torch.float32)),
    }

    # 1. Trajectories. The last one says how far float64 goes when its start moves by float32's rounding error.
    truth, path = trajectory(reference64, start.astype(np.float64), views, steps, torch.float64)

    def show(name, trace):
        print(f"{name}: |loss - float64's| (gradient norm) by step")
        print(" ".join(f"{abs(t[0] - r[0]):.1e} ({t[1]:.3f})" for t, r in zip(trace, truth)), flush=True)

    print(f"seed {seed}, float64: loss (gradient norm) by step")
    print(" ".join(f"{loss:.4f} ({norm:.3f})" for loss, norm in truth), flush=True)
    show("ours (the product's trainer)", [(r["loss"], r["grad_norm"]) for r in ours.train(start, steps)])
    for name in ("torch32", "torch32 1 thread", "plain torch32"):
        show(name, trajectory(sides[name], start, views, steps, torch.float32)[0])
    show("torch32, norm in float64", trajectory(transformers32, start, views, steps, torch.float32, norm64=True)[0])

    # 2. Everybody's gradient at the same parameters.
    print("relative gradient error at float64's parameters rounded to float32: all (worst tensor)")
    print("step " + " | ".join(sides))
    errors = {name: [] for name in sides}
    for step in [s for s in (0, *range(9, 18)) if s < steps]:
        at = path[step].astype(np.float32)
        reference = reference64(at)[1]
        cells = []
        for name, gradient in sides.items():
            error = gradient(at)[1].astype(np.float64) - reference
            errors[name].append(error)
            total = np.linalg.norm(error) / np.linalg.norm(reference)
            worst, tensor = max(
                (np.linalg.norm(part(error, v)) / np.linalg.norm(part(reference, v)), v["name"]) for v in views
            )
            cells.append(f"{total:.1e} ({worst:.1e} {tensor.replace('model.', '')})")
        mixed = " ".join(
            f"{np.dot(errors['ours'][-1], e[-1]) / np.linalg.norm(errors['ours'][-1]) / np.linalg.norm(e[-1]):+.2f}"
            for n, e in errors.items()
            if n != "ours"
        )
        print(f"{step + 1:4d} " + " | ".join(cells) + f" | cosine of ours with each: {mixed}", flush=True)
    for name, list_ in errors.items():
        cosines = [np.dot(a, b) / np.linalg.norm(a) / np.linalg.norm(b) for a, b in zip(list_, list_[1:])]
        print(f"cosine of {name}'s error at neighbouring steps:", " ".join(f"{c:+.2f}" for c in cosines))

    # 3. Our gradients through AdamW in float64: is our optimizer's arithmetic at fault?
    replay = Adam(views, torch.float64)
    p = start.astype(np.float64)
    print("our parameters against our gradients replayed through AdamW in float64")
    for step in range(1, steps + 1):
        p, _ = replay(p, read(f"{work}/ours-gradient-{step}.f32").astype(np.float64))
        mine = read(f"{work}/ours-parameters-{step}.f32")
        off = np.abs(mine - p)
        drift = np.linalg.norm(mine - (path[step] if step < len(path) else p))
        print(f"{step:4d} largest difference {off.max():.1e}, relative {np.linalg.norm(off) / np.linalg.norm(p):.1e}"
              f"; distance to float64's own path {drift:.1e}")  # fmt: skip
    ours.close()

    # 4. The same dynamics without float32: two starts that differ by float32's rounding.
    noise = np.random.default_rng(seed).uniform(-1, 1, start.size) * 2.0**-24
    moved = start.astype(np.float64) * (1 + noise)
    show("float64, start moved by 2^-24", trajectory(reference64, moved, views, steps, torch.float64)[0])


class Ours:
    def __init__(self, work):
        self.work = work
        # Inside the project, so that node finds its packages.
        bundle = os.path.join(ROOT, "node_modules/.cache/gradient-drift.mjs")
        esbuild = ["npx", "esbuild", "bench/gradient-drift.ts", "--bundle", "--platform=node", "--format=esm"]
        esbuild += ["--packages=external", "--log-level=warning", "--outfile=" + bundle]
        subprocess.run(esbuild, cwd=ROOT, check=True)
        self.child = subprocess.Popen(
            ["node", bundle, work, str(THREADS)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.views = json.loads(self.child.stdout.readline())["layout"]

    def ask(self, *words):
        self.child.stdin.write("\t".join(map(str, words)) + "\n")
        self.child.stdin.flush()
        return json.loads(self.child.stdout.readline())

    def gradient(self, flat):
        flat.astype("<f4").tofile(f"{self.work}/at.f32")
        answer = self.ask("gradient", f"{self.work}/at.f32", f"{self.work}/out.f32")
        return answer["loss"], read(f"{self.work}/out.f32")

    def train(self, flat, steps):
        flat.astype("<f4").tofile(f"{self.work}/at.f32")
        return self.ask("train", f"{self.work}/at.f32", steps, f"{self.work}/ours-")

    def close(self):
        self.child.stdin.close()
        self.child.wait()


class Adam:
    """torch.optim.AdamW after torch's clipping, on one flat tensor; `norm64` measures the gradient in float64 instead."""

    def __init__(self, views, dtype, norm64=False):
        self.views, self.norm64 = views, norm64
        decays = np.concatenate([np.full(view["size"], view["decays"]) for view in views])
        self.decay = torch.from_numpy(np.where(decays, 1 - LR * DECAY, 1.0)).to(dtype)
        self.optimizer = None

    def __call__(self, p, g):
        if self.optimizer is None:
            self.p = torch.nn.Parameter(torch.from_numpy(p.copy()))
            self.optimizer = torch.optim.AdamW([self.p], lr=LR, weight_decay=0.0)
        # One tensor per parameter, as clip_grad_norm_ sees them in a model; the norm of one long float32 tensor is worse.
        parts = [torch.from_numpy(part(g, view)) for view in self.views]
        norm = torch.nn.utils.get_total_norm([t.double() for t in parts] if self.norm64 else parts).item()
        self.p.grad = torch.from_numpy(g) * min(1.0, CLIP / (norm + 1e-6))
        with torch.no_grad():
            self.p.mul_(self.decay)
        self.optimizer.step()
        return self.p.detach().numpy().copy(), norm


def trajectory(gradient, p, views, steps, dtype, norm64=False):
    step_with = Adam(views, dtype, norm64)
    trace, path = [], [p]
    for _ in range(steps):
        loss, g = gradient(p)
        p, norm = step_with(p, g)
        trace.append((loss, norm))
        path.append(p)
    return trace, path


def plain_loss(w, tokens, dtype, rope):
    """A Llama written out, because transformers computes norms and softmax in float32 whatever the model's type."""
    cos, sin = (table.to(dtype) for table in rope)
    mask = torch.full((LENGTH, LENGTH), float("-inf"), dtype=dtype).triu(1)

    def norm(x, weight):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + EPS) * weight

    def heads(x, count):
        return x.view(ROWS, LENGTH, count, HEAD_DIM).transpose(1, 2)

    def rotate(x):
        a, b = x.chunk(2, -1)
        return x * cos + torch.cat((-b, a), -1) * sin

    x = w["model.embed_tokens.weight"][tokens[:, :-1]]
    for layer in range(LAYERS):
        at = f"model.layers.{layer}."
        h = norm(x, w[at + "input_layernorm.weight"])
        q, k, v = (
            heads(h @ w[f"{at}self_attn.{n}_proj.weight"].T, c) for n, c in (("q", HEADS), ("k", KV), ("v", KV))
        )
        k, v = (t.repeat_interleave(HEADS // KV, 1) for t in (rotate(k), v))
        p = torch.softmax(rotate(q) @ k.transpose(2, 3) / HEAD_DIM**0.5 + mask, -1)
        x = x + (p @ v).transpose(1, 2).reshape(ROWS, LENGTH, HIDDEN) @ w[at + "self_attn.o_proj.weight"].T
        h = norm(x, w[at + "post_attention_layernorm.weight"])
        gate, up = (h @ w[f"{at}mlp.{n}_proj.weight"].T for n in ("gate", "up"))
        x = x + (F.silu(gate) * up) @ w[at + "mlp.down_proj.weight"].T
    logits = norm(x, w["model.norm.weight"]) @ w["lm_head.weight"].T
    return F.cross_entropy(logits.reshape(-1, VOCAB), tokens[:, 1:].reshape(-1))


def rope_tables(dtype):
    """In float32 exactly as transformers computes them; in float64 as one should."""
    inverse = 1.0 / THETA ** (torch.arange(0, HEAD_DIM, 2, dtype=dtype) / HEAD_DIM)
    angles = torch.arange(LENGTH, dtype=dtype)[:, None] * inverse
    angles = torch.cat((angles, angles), -1)
    return angles.cos(), angles.sin()


def part(flat, view):
    return flat[view["offset"] : view["offset"] + view["size"]]


def read(path):
    return np.fromfile(path, "<f4")


def np_type(dtype):
    return np.float64 if dtype == torch.float64 else np.float32


if __name__ == "__main__":
    main(os.path.abspath(sys.argv[1]), *map(int, sys.argv[2:]))
