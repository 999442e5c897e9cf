"""One training step of GPT-2 in JAX: the peer of our `train_step`.

The whole step, forward, loss, backward, clipping and AdamW (optax, weight decay on matrices), is one
compiled function whose weights and optimizer state are donated, so that they are updated in place.
The blocks are a Python loop, which XLA sees unrolled. Weights come from a folder in Hugging Face's
layout, ids are ours; dropout is 0. bf16 rounds the factors of matrix products, f32 sums them.
"""

import json
import os
import pathlib

import turns


def parse_args():
    parser = turns.arguments(__doc__.split("\n")[0])
    parser.add_argument("--model", type=pathlib.Path, required=True, metavar="DIR")
    parser.add_argument("--batch", type=int, default=4, metavar="B", help="rows")
    parser.add_argument("--seq", type=int, default=256, metavar="T", help="tokens of a row")
    parser.add_argument("--precision", choices=["f32", "bf16"], default="f32")
    return parser.parse_args()


args = parse_args()
if args.threads:  # XLA takes as many threads as the process may use CPUs.
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: args.threads])

import jax  # noqa: E402 (after the CPUs are chosen)
import jax.numpy as jnp  # noqa: E402
import optax  # noqa: E402
from safetensors.numpy import load_file  # noqa: E402

CONFIG = json.loads((args.model / "config.json").read_text())
LAYERS, HEADS = CONFIG["n_layer"], CONFIG["n_head"]
FACTORS = jnp.bfloat16 if args.precision == "bf16" else jnp.float32


def product(equation, a, b):
    return jnp.einsum(
        equation, a.astype(FACTORS), b.astype(FACTORS), preferred_element_type=jnp.float32
    )


def layer_norm(x, weights, name):
    centred = x - x.mean(-1, keepdims=True)
    scale = jax.lax.rsqrt((centred * centred).mean(-1, keepdims=True) + CONFIG["layer_norm_epsilon"])
    return centred * scale * weights[f"{name}.weight"] + weights[f"{name}.bias"]


def affine(x, weights, name):
    return product("btd,de->bte", x, weights[f"{name}.weight"]) + weights[f"{name}.bias"]


def attention(x, weights, name):
    batch, seq, width = x.shape
    q, k, v = jnp.split(affine(x, weights, f"{name}.c_attn"), 3, axis=-1)
    q, k, v = (y.reshape(batch, seq, HEADS, width // HEADS) for y in (q, k, v))
    scores = product("bqhd,bkhd->bhqk", q, k) / (width // HEADS) ** 0.5
    scores = jnp.where(jnp.tril(jnp.ones((seq, seq), bool)), scores, -jnp.inf)
    y = product("bhqk,bkhd->bqhd", jax.nn.softmax(scores, axis=-1), v)
    return affine(y.reshape(batch, seq, width), weights, f"{name}.c_proj")


def feed_forward(x, weights, name):
    hidden = jax.nn.gelu(affine(x, weights, f"{name}.c_fc"), approximate=True)
    return affine(hidden, weights, f"{name}.c_proj")


def loss_of(weights, ids):
    inputs, targets = ids[:, :-1], ids[:, 1:]
    x = weights["wte.weight"][inputs] + weights["wpe.weight"][: inputs.shape[1]]
    for layer in range(LAYERS):
        name = f"h.{layer}"
        x = x + attention(layer_norm(x, weights, f"{name}.ln_1"), weights, f"{name}.attn")
        x = x + feed_forward(layer_norm(x, weights, f"{name}.ln_2"), weights, f"{name}.mlp")
    logits = product("btd,vd->btv", layer_norm(x, weights, "ln_f"), weights["wte.weight"])
    return optax.softmax_cross_entropy_with_integer_labels(logits, targets).mean()


def main():
    tensors = load_file(args.model / "model.safetensors")
    weights = {
        name.removeprefix("transformer."): jnp.asarray(value)
        for name, value in tensors.items()
        if not name.startswith("lm_head")  # tied to wte
    }
    decayed = {name: value.ndim >= 2 for name, value in weights.items()}
    optimizer = optax.chain(
        optax.clip_by_global_norm(1.0), optax.adamw(1e-4, weight_decay=0.01, mask=decayed)
    )
    count = args.batch * (args.seq + 1)
    ids = jnp.asarray(turns.ids(count, CONFIG["vocab_size"])).reshape(args.batch, args.seq + 1)
    state = {"weights": weights, "optimizer": optimizer.init(weights)}

    def step(state, ids):
        loss, gradients = jax.value_and_grad(loss_of)(state["weights"], ids)
        updates, memory = optimizer.update(gradients, state["optimizer"], state["weights"])
        return {"weights": optax.apply_updates(state["weights"], updates), "optimizer": memory}, loss

    compiled = jax.jit(step, donate_argnums=0)

    def work():
        nonlocal state
        state, loss = compiled(state, ids)
        jax.block_until_ready(state)
        return loss.item()

    turns.serve(turns.timed(work), args)


if __name__ == "__main__":
    main()
