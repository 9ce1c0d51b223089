"""Money is an integer number of minor units with a currency; floats never hold it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

from storewise.core.errors import InputError

# ISO 4217 currencies whose minor unit is not 1/100.
_NO_DECIMALS = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_THREE_DECIMALS = "BHD IQD JOD KWD LYD OMR TND"
EXPONENTS = dict.fromkeys(_NO_DECIMALS.split(), 0) | dict.fromkeys(_THREE_DECIMALS.split(), 3)


def exponent(currency: str) -> int:
    """Decimal places of a currency's minor unit.

    Raises:
        InputError: when the code is not three capital letters.

    >>> exponent("GBP"), exponent("JPY")
    (2, 0)
    """
    if not re.fullmatch(r"[A-Z]{3}", currency):
        raise InputError(
            f"Currency {currency!r} is not an ISO 4217 code.",
            next_step="Use three capitals such as CNY or GBP.",
        )
    return EXPONENTS.get(currency, 2)


@dataclass(frozen=True, slots=True)
class Money:
    """An amount of minor units.

    >>> Money.of("12.345", "GBP")
    Money(minor=1234, currency='GBP')
    >>> str(Money(1250, "CNY"))
    '12.50 CNY'
    """

    minor: int
    currency: str

    @classmethod
    def of(cls, amount: str | int | Decimal, currency: str) -> Money:
        """From major units, rounded half to even as banks do."""
        scaled = Decimal(amount).scaleb(exponent(currency))
        return cls(int(scaled.to_integral_value(ROUND_HALF_EVEN)), currency)

    def __str__(self) -> str:
        return f"{Decimal(self.minor).scaleb(-exponent(self.currency))} {self.currency}"

    def __add__(self, other: Money) -> Money:
        if other.currency != self.currency:
            raise InputError(
                f"Cannot add {other.currency} to {self.currency}.", next_step="Convert one of them first."
            )
        return Money(self.minor + other.minor, self.currency)
