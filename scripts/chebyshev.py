"""
Computes src/ops/special-coefficients.ts: Chebyshev series of the smooth parts of special functions, each in a variable u of
[-1, 1], cut where the rest is below 2**-28 of the greatest value for float32, and below 2**-58 for float64. It knows nothing of how
they are put together; the tests measure that.

Usage: python3 scripts/chebyshev.py > src/ops/special-coefficients.ts     (needs mpmath and numpy)
"""

import numpy
from mpmath import (besseli, besselj, besselk, bessely, cos, diff, digamma, erfc, exp, findroot, inf, limit, log, loggamma, mp, mpf, pi)
from mpmath import sin, sqrt

mp.prec = 200
NODES = 128
CUTS = {"narrow": (mpf(2) ** -28, 10), "wide": (mpf(2) ** -58, 18)}


def series(f):
    """Chebyshev coefficients of f on [-1, 1]; the first is to count half."""
    points = [cos(pi * (k + mpf(1) / 2) / NODES) for k in range(NODES)]
    values = [f(u) for u in points]
    all_ = [
        2 * sum(v * cos(pi * n * (k + mpf(1) / 2) / NODES) for k, v in enumerate(values)) / NODES for n in range(NODES)
    ]
    return all_, max(abs(v) for v in values)


def shortened(all_, greatest, cut):
    last = NODES - 1
    while sum(abs(c) for c in all_[last:]) < cut * greatest:
        last -= 1
    return all_[: last + 1]


ROOT = findroot(digamma, 1.46)  # the positive zero of digamma


def lgamma2(u):
    t = u / 2
    return loggamma(2 + t).real / t


def digamma12(u):
    x = (u + 3) / 2
    return digamma(x) / (x - ROOT)


def erfcx(u):
    x = 4 * (1 + u) / (1 - u)
    return (1 + 2 * x) * exp(x * x) * erfc(x)


def phase(nu, x):
    return x - (2 * nu + 1) * pi / 4


def modulus_p(nu, x):
    angle = phase(nu, x)
    return sqrt(pi * x / 2) * (besselj(nu, x) * cos(angle) + bessely(nu, x) * sin(angle))


def modulus_q(nu, x):
    angle = phase(nu, x)
    return x * sqrt(pi * x / 2) * (bessely(nu, x) * cos(angle) - besselj(nu, x) * sin(angle))


def far(u):  # x in [8, inf): u = 2 (8 / x)^2 - 1
    return 8 / sqrt((u + 1) / 2)


def near(u):  # x in [0, 8]: u = x^2 / 32 - 1
    return sqrt(32 * (u + 1))


def half(u):  # x in [0, 2]: u = x^2 / 2 - 1
    return sqrt(2 * (u + 1))


def root_of_deviance(m):
    """sign(m) sqrt(2 (m - log(1 + m)))."""
    return (1 if m > 0 else -1) * sqrt(2 * (m - log(1 + m)))


def temme(order, m):
    """Coefficients of a^-order in Temme's expansion of the incomplete gamma function, at m = x / a - 1 (DLMF 8.12)."""
    eta = root_of_deviance(m)
    if order == 0:
        return 1 / m - 1 / eta
    stirling = [0, -mpf(1) / 12, mpf(1) / 288]
    slope = diff(lambda t: temme(order - 1, t), m) * (1 + m) * eta / m
    return slope / eta + stirling[order] / m


WIDTH = mpf(3) / 10  # Temme's expansion is used for |m| below it

TABLES = [
    ("lgamma2", "lgamma(2 + t) / t, u = 2 t in [-1, 1]", lgamma2),
    ("digamma12", "digamma(x) / (x - root), u = 2 x - 3 in [-1, 1]", digamma12),
    ("erfcx", "(1 + 2 x) e^(x^2) erfc(x), u = (x - 4) / (x + 4), x >= 0", erfcx),
    (
        "i0Near",
        "sqrt(1 + x) e^-x I0(x), u = x / 4 - 1, x in [0, 8]",
        lambda u: (lambda x: sqrt(1 + x) * exp(-x) * besseli(0, x))(4 * (u + 1)),
    ),
    (
        "i0Far",
        "sqrt(x) e^-x I0(x), u = 16 / x - 1, x >= 8",
        lambda u: (lambda x: sqrt(x) * exp(-x) * besseli(0, x))(16 / (u + 1)),
    ),
    (
        "i1Near",
        "(1 + x)^(3/2) e^-x I1(x) / x",
        lambda u: (lambda x: (1 + x) * sqrt(1 + x) * exp(-x) * besseli(1, x) / x)(4 * (u + 1)),
    ),
    ("i1Far", "sqrt(x) e^-x I1(x)", lambda u: (lambda x: sqrt(x) * exp(-x) * besseli(1, x))(16 / (u + 1))),
    (
        "k0Near",
        "K0(x) + log(x / 2) I0(x), u = x^2 / 2 - 1, x in (0, 2]",
        lambda u: (lambda x: besselk(0, x) + log(x / 2) * besseli(0, x))(half(u)),
    ),
    ("k0Far", "sqrt(x) e^x K0(x), u = 4 / x - 1, x >= 2", lambda u: (lambda x: sqrt(x) * exp(x) * besselk(0, x))(4 / (u + 1))),
    (
        "k1Near",
        "x (K1(x) - log(x / 2) I1(x))",
        lambda u: (lambda x: x * (besselk(1, x) - log(x / 2) * besseli(1, x)))(half(u)),
    ),
    ("k1Far", "sqrt(x) e^x K1(x)", lambda u: (lambda x: sqrt(x) * exp(x) * besselk(1, x))(4 / (u + 1))),
    ("j0Near", "J0(x), u = x^2 / 32 - 1, x in [0, 8]", lambda u: besselj(0, near(u))),
    ("j1Near", "J1(x) / x", lambda u: besselj(1, near(u)) / near(u)),
    ("y0Near", "Y0(x) - 2/pi log(x) J0(x)", lambda u: (lambda x: bessely(0, x) - 2 / pi * log(x) * besselj(0, x))(near(u))),
    (
        "y1Near",
        "(Y1(x) - 2/pi (log(x) J1(x) - 1 / x)) / x",
        lambda u: (lambda x: (bessely(1, x) - 2 / pi * (log(x) * besselj(1, x) - 1 / x)) / x)(near(u)),
    ),
    ("p0", "P0(x), u = 2 (8 / x)^2 - 1, x >= 8", lambda u: modulus_p(0, far(u))),
    ("q0", "x Q0(x)", lambda u: modulus_q(0, far(u))),
    ("p1", "P1(x)", lambda u: modulus_p(1, far(u))),
    ("q1", "x Q1(x)", lambda u: modulus_q(1, far(u))),
    ("eta", "sign(m) sqrt(2 (m - log(1 + m))) / m, u = m / 0.3", lambda u: root_of_deviance(WIDTH * u) / (WIDTH * u)),
    ("temme0", "1 / m - 1 / eta", lambda u: temme(0, WIDTH * u)),
    ("temme1", "the coefficient of 1 / a", lambda u: temme(1, WIDTH * u)),
    ("temme2", "the coefficient of 1 / a^2", lambda u: temme(2, WIDTH * u)),
]

print("/** Chebyshev series in u of [-1, 1] for float32 and for float64, made by scripts/chebyshev.py; the first coefficient counts half. */")
print("import type { Series } from './composite-series.ts';")
print()
HIGH = mpf(float(numpy.float32(float(ROOT))))
print(f"/** The positive zero of digamma: a float32, and what that lacks. */\nexport const DIGAMMA_ROOT = [{mp.nstr(HIGH, 17)}, {mp.nstr(ROOT - HIGH, 17)}] as const;")
for name, what, f in TABLES:
    all_, greatest = series(f)
    print(f"\n/** {what}. */\nexport const {name}: Series = {{")
    for width, (cut, digits) in CUTS.items():
        numbers = ", ".join(mp.nstr(c, digits) for c in shortened(all_, greatest, cut))
        print(f"  {width}: [{numbers}],")
    print("};")
