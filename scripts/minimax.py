"""
Computes the polynomials of src/codegen/shared/math: Remez's exchange in high precision, then the coefficients are rounded to
float32 one after the other, each time with the rest fitted anew (to float64 all at once for names that end in 64). Prints them
with the greatest error that is left, in units of 2**-24 (2**-53) relative to the function. It knows nothing of how they are
evaluated; the tests measure that.

Usage: python3 scripts/minimax.py [name ...]     (needs mpmath and numpy)
"""

import sys

import numpy
from mpmath import cos, erf, erfc, exp, linspace, log, lu_solve, matrix, mp, mpf, pi, sin, sqrt, tanh

mp.prec = 320


def remez(f, weight, exponents, low, high):
    """Coefficients c that minimise max |weight(x) * (f(x) - sum c[i] * x**exponents[i])| on [low, high]."""
    n = len(exponents)
    points = [(low + high) / 2 - (high - low) / 2 * cos(pi * i / n) for i in range(n + 1)]
    grid = linspace(low, high, 60 * n + 61)
    for _ in range(40):
        system = matrix(n + 1, n + 1)
        values = matrix(n + 1, 1)
        for row, x in enumerate(points):
            for column, k in enumerate(exponents):
                system[row, column] = x**k
            system[row, n] = (-1) ** row / weight(x)
            values[row] = f(x)
        solution = lu_solve(system, values)
        c = [solution[i] for i in range(n)]
        errors = [weight(x) * (f(x) - sum(a * x**k for a, k in zip(c, exponents))) for x in grid]
        extremes = []
        for x, e in zip(grid, errors):  # the greatest error of each run of one sign
            if extremes and (extremes[-1][1] > 0) == (e > 0):
                if abs(e) > abs(extremes[-1][1]):
                    extremes[-1] = (x, e)
            else:
                extremes.append((x, e))
        while len(extremes) > n + 1:
            extremes.pop(0 if abs(extremes[0][1]) < abs(extremes[-1][1]) else -1)
        worst = max(abs(e) for e in errors)
        if len(extremes) < n + 1 or worst < abs(solution[n]) * (1 + mpf(10) ** -4):
            return c, worst
        points = [x for x, _ in extremes]
    return c, worst


def single(c):
    return mpf(float(numpy.float32(float(c))))


def double(c):
    return mpf(float(c))


def rounded(f, weight, exponents, low, high, fit, refits):
    """The same with coefficients that fit, lowest exponents first; each time with the rest fitted anew, if `refits`."""
    fixed = []
    low, high = mpf(low), mpf(high)
    if not refits:
        fixed = [fit(a) for a in remez(f, weight, exponents, low, high)[0]]
    for at in range(len(fixed), len(exponents)):
        rest = lambda x: f(x) - sum(a * x**k for a, k in zip(fixed, exponents))
        c, _ = remez(rest, weight, exponents[at:], low, high)
        fixed.append(fit(c[0]))
    grid = linspace(low, high, 4000)
    return fixed, max(abs(weight(x) * (f(x) - sum(a * x**k for a, k in zip(fixed, exponents)))) for x in grid)


def near(f, x):
    """f(x), or its value beside 0 where x is too near to it for the formula."""
    return f(x if abs(x) > mpf(10) ** -24 else mpf(10) ** -24)


ln2 = log(mpf(2))
quarter = pi / 4 * mpf("1.02")  # the reduced argument may lie a little beyond pi/4

table = {
    # expm1(r) = r + r^2 P(r); also for exp, where it is more than enough
    "expm1": (
        lambda r: near(lambda t: (exp(t) - 1 - t) / t**2, r),
        lambda r: near(lambda t: abs(t**2 / (exp(t) - 1)), r),
        range(5),
        -ln2 / 2 * mpf("1.01"),
        ln2 / 2 * mpf("1.01"),
    ),
    # log(1 + f) = f - f^2/2 + f^3 P(f)
    "log": (
        lambda f: near(lambda t: (log(1 + t) - t + t**2 / 2) / t**3, f),
        lambda f: near(lambda t: t**3 / log(1 + t), f),
        range(9),
        sqrt(mpf(1) / 2) - 1,
        sqrt(mpf(2)) - 1,
    ),
    # tanh(x) = x + x^3 P(x^2) on [0, 0.55], over z = x^2
    "tanh": (
        lambda z: near(lambda t: (tanh(sqrt(t)) / sqrt(t) - 1) / t, z),
        lambda z: near(lambda t: t * sqrt(t) / tanh(sqrt(t)), z),
        range(5),
        0,
        mpf("0.55") ** 2,
    ),
    # sin(r) = r + r^3 P(r^2), cos(r) = 1 - r^2/2 + r^4 P(r^2): over z = r^2
    "sin": (
        lambda z: near(lambda t: (sin(sqrt(t)) / sqrt(t) - 1) / t, z),
        lambda z: near(lambda t: t * sqrt(t) / sin(sqrt(t)), z),
        range(3),
        0,
        quarter**2,
    ),
    "cos": (
        lambda z: near(lambda t: (cos(sqrt(t)) - 1 + t / 2) / t**2, z),
        lambda z: near(lambda t: t**2 / cos(sqrt(t)), z),
        range(3),
        0,
        quarter**2,
    ),
    # erf(x) = x + x P(x^2) on [0, 1], over z = x^2
    "erf": (
        lambda z: near(lambda t: erf(sqrt(t)) / sqrt(t) - 1, z),
        lambda z: near(lambda t: sqrt(t) / erf(sqrt(t)), z),
        range(7),
        0,
        1,
    ),
    # erf(x) = 1 - exp(P(x)) on [1, 4]
    "erfc": (lambda x: log(erfc(x)), lambda x: erfc(x) / erf(x), range(7), 1, 4),
    # 2^z = 1 + z P(z)
    "exp2": (
        lambda z: near(lambda t: (mpf(2) ** t - 1) / t, z),
        lambda z: near(lambda t: t / mpf(2) ** t, z),
        range(6),
        mpf("-0.505"),
        mpf("0.505"),
    ),
    # log2((1 + s) / (1 - s)) = 2 log2(e) s + s^3 P(s^2), over z = s^2
    "log2": (
        lambda z: near(lambda t: (log((1 + sqrt(t)) / (1 - sqrt(t))) / ln2 - 2 * sqrt(t) / ln2) / (t * sqrt(t)), z),
        lambda z: near(lambda t: t * sqrt(t) * ln2 / log((1 + sqrt(t)) / (1 - sqrt(t))), z),
        range(4),
        0,
        mpf("0.0296"),
    ),
}


def half_log(z):
    """(log((1 + s) / (1 - s)) / s - 2) / z for z = s^2"""
    s = sqrt(z)
    return (log((1 + s) / (1 - s)) / s - 2) / z


def wide(name, count, low=None, high=None):
    """The same function, with more coefficients."""
    f, weight, _, known_low, known_high = table[name]
    return f, weight, range(count), known_low if low is None else low, known_high if high is None else high


table["expm64"] = wide("expm1", 11)
# log((1 + s) / (1 - s)) = 2 s + s z P(z), z = s^2
table["log64"] = (
    lambda z: near(half_log, z),
    lambda z: near(lambda t: t / (half_log(t) * t + 2), z),
    range(8),
    0,
    mpf("0.02945"),
)
table["sin64"] = wide("sin", 7)
table["cos64"] = wide("cos", 7)
table["erf64"] = wide("erf", 15)
# erf(x) = 1 - exp(P(x - 1)) on [1, 6]
table["erfc64"] = (
    lambda t: log(erfc(t + 1)),
    lambda t: erfc(t + 1) / erf(t + 1),
    range(19),
    0,
    5,
)
table["exp2_64"] = wide("exp2", 12)
# log2((1 + s) / (1 - s)) = s (2 log2(e) + z P(z)); what is given is P, of which the first coefficient is used in two parts
table["log2_64"] = (
    lambda z: near(lambda t: half_log(t) / ln2, z),
    lambda z: near(lambda t: t * ln2 / (half_log(t) * t + 2), z),
    range(10),
    0,
    mpf("0.02945"),
)

for name in sys.argv[1:] or table:
    f, weight, exponents, low, high = table[name]
    is_double = name.endswith("64")
    coefficients, worst = rounded(f, weight, list(exponents), low, high, double if is_double else single, not is_double)
    kind = numpy.float64 if is_double else numpy.float32
    print(f"{name}: [{', '.join(repr(kind(float(c))).split('(')[-1].rstrip(')') for c in coefficients)}]")
    bits = 53 if is_double else 24
    print(f"  error {float(worst * 2**bits):.4f} x 2^-{bits}", flush=True)
