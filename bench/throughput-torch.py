"""The other side of the throughput benchmark: PyTorch, transformers and PEFT on the same model and tokens.

Usage: throughput-torch.py DIR THREADS. A line with a number on stdin asks for that many steps; the answer is a JSON line
on stdout: seconds, tokens and the steps' losses. float32 throughout, no padding and so no mask, scaled dot-product
attention, PyTorch's fused AdamW: what a careful user would choose on a CPU.
"""

import json
import os
import resource
import sys
import time

MISSING = "cannot import %s with %s; set SLUICE_PYTHON to a Python that has torch, transformers and peft\n"

# The machine may be off line, and nothing here needs the hub.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
try:
    import torch
    import torch.nn.functional as F
    from peft import LoraConfig, get_peft_model
    from transformers import LlamaForCausalLM
except ImportError as error:
    sys.stderr.write(MISSING % (error.name, sys.executable))
    sys.exit(6)

LINEARS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def main(folder, threads):
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    with open(os.path.join(folder, "case.json")) as file:
        facts = json.load(file)
    with open(os.path.join(folder, "tokens.bin"), "rb") as file:
        tokens = torch.frombuffer(bytearray(file.read()), dtype=torch.int32).long()
    tokens = tokens.view(facts["batches"], facts["rows"], facts["length"] + 1)

    model = LlamaForCausalLM.from_pretrained(
        os.path.join(folder, "model"), dtype=torch.float32, attn_implementation="sdpa"
    )
    model.config.use_cache = False
    if facts["lora"] is not None:
        config = LoraConfig(
            r=facts["lora"]["r"],
            lora_alpha=facts["lora"]["alpha"],
            lora_dropout=0.0,
            target_modules=LINEARS,
            task_type="CAUSAL_LM",
        )
        model = get_peft_model(model, config)
    model.train()
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(
        trained, lr=facts["lr"], betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0, fused=True
    )

    def step(batch):
        logits = model(input_ids=batch[:, :-1], use_cache=False).logits
        loss = F.cross_entropy(logits.reshape(-1, logits.shape[-1]), batch[:, 1:].reshape(-1))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        return loss.item()

    done = 0
    say({"ready": True, "torch": torch.__version__})
    for line in sys.stdin:
        asked = int(line)
        started = time.perf_counter()
        losses = []
        for _ in range(asked):
            losses.append(step(tokens[done % facts["batches"]]))
            done += 1
        seconds = time.perf_counter() - started
        # Kibibytes on Linux, bytes on macOS.
        unit = 1 if sys.platform == "darwin" else 1024
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
        say({"seconds": seconds, "tokens": asked * facts["rows"] * facts["length"], "losses": losses, "peak": peak})


def say(answer):
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
