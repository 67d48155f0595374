"""What service.py compares with: the same network behind a plain FastAPI and PyTorch handler, as tutorials write it.

uvicorn service_torch:app. The weights are random, which costs the same time. There is no check of the image, no
calibration, no out-of-distribution score and no map.
"""

import io
import os

import torch
from fastapi import FastAPI, Request
from PIL import Image
from torchvision.transforms import v2

from lentigo.models import build
from lentigo.runtime import Bundle, shipped_models

if threads := os.environ.get("SERVICE_TORCH_THREADS"):
    torch.set_num_threads(int(threads))

described = Bundle(shipped_models()["lentigo-s"]).metadata
classes = described.labels.classes
network = build(described.network, len(classes), **described.options).eval()
transform = v2.Compose(
    [
        v2.Resize(described.size),
        v2.CenterCrop(described.size),
        v2.ToImage(),
        v2.ToDtype(torch.float32, scale=True),
        v2.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    ]
)
app = FastAPI()


@app.get("/healthz")
def healthz() -> dict[str, str]:
    return {"status": "ok"}


@app.post("/v1/classify")
async def classify(request: Request) -> dict[str, float]:
    image = Image.open(io.BytesIO(await request.body())).convert("RGB")
    with torch.inference_mode():
        logits = network(transform(image)[None])
    return dict(zip(classes, logits.softmax(1)[0].tolist(), strict=True))
