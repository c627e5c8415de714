"""Asks genai-prices, an independent price engine, for one price per line of input.

Reads JSON objects from standard input, each with `provider`, `model`, `at` (RFC 3339), `tier` and
`usage` (nested token counts with genai-prices' names), and answers each with one line:
`{"usd": "0.01", "model": "..."}`, or `{"error": "..."}` if the engine has no price.
"""

import json
import sys
import warnings
from datetime import datetime

from genai_prices import Usage, calc_price

CONTEXTS = {
    "standard": None,
    "batch": {"processing": "batch"},
    "flex": {"service_tier": "flex"},
    "priority": {"service_tier": "priority"},
}


def answer(question: dict) -> dict:
    try:
        price = calc_price(
            Usage(**question["usage"]),
            question["model"],
            provider_id=question["provider"],
            genai_request_timestamp=datetime.fromisoformat(question["at"]),
            price_context=CONTEXTS[question["tier"]],
        )
    except LookupError as error:
        return {"error": str(error)}
    # If a model has no price for the tier, the engine answers with the standard price, which is
    # not the requested price.
    context = CONTEXTS[question["tier"]] or {}
    if context and all(variant.when != context for variant in price.model.price_variants or []):
        return {"error": f"no {question['tier']} price"}
    return {"usd": str(price.total_price), "model": price.model.id}


# The engine warns of units that it does not know. The test finds them as different prices.
warnings.simplefilter("ignore")
for line in sys.stdin:
    print(json.dumps(answer(json.loads(line))))
