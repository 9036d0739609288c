"""
Prints test/conformance/fixtures/special-values.json: values of special functions at float32 arguments, in double precision, for
the accuracy tests. Each list is [x, f(x), x, f(x), ...]; what JSON lacks is written as a string.

Usage: python3 scripts/special-values.py [points] > test/conformance/fixtures/special-values.json     (needs mpmath and numpy)
"""

import json
import sys

import numpy
from mpmath import (besseli, besselj, besselk, bessely, erfc, erfinv, exp, gamma, inf, isnan, log, loggamma, mp, mpf, ncdf, polygamma)
from mpmath import zeta

mp.prec = 120
count = int(sys.argv[1]) if len(sys.argv) > 1 else 60
random = numpy.random.default_rng(1)


def spread(low, high, signs=(1,)):
    """Floats of every size between low and high, and as many evenly spaced."""
    sizes = numpy.exp(random.uniform(numpy.log(low), numpy.log(high), count // 2))
    even = random.uniform(low, high, count - count // 2)
    return [float(numpy.float32(x * s)) for x in numpy.concatenate([sizes, even]) for s in signs]


def lgamma(x):
    return log(abs(gamma(x))) if x < 100 else loggamma(x).real


both = (1, -1)
functions = {
    "lgamma": (lgamma, spread(1e-30, 40) + spread(0.4, 4) + spread(10, 1e35)),
    "lgammaNegative": (lgamma, spread(1e-3, 20, (-1,))),
    "digamma": (lambda x: polygamma(0, x), spread(1e-30, 40) + spread(1, 2) + spread(10, 1e35)),
    "digammaNegative": (lambda x: polygamma(0, x), spread(1e-3, 20, (-1,))),
    "trigamma": (lambda x: polygamma(1, x), spread(1e-15, 40) + spread(1e-3, 20, (-1,))),
    "polygamma2": (lambda x: polygamma(2, x), spread(1e-10, 40) + spread(1e-3, 10, (-1,))),
    "polygamma5": (lambda x: polygamma(5, x), spread(1e-5, 40)),
    "zeta3": (lambda x: zeta(3, x), spread(1e-8, 100)),
    "zeta1.25": (lambda x: zeta(mpf(1.25), x), spread(1e-8, 100)),
    "erfc": (erfc, spread(1e-10, 9.2, both)),
    "erfcx": (lambda x: exp(x * x) * erfc(x), spread(1e-10, 20) + spread(1e-3, 8, (-1,))),
    "erfInv": (erfinv, spread(1e-20, 0.9999999, both) + [float(numpy.float32(1 - 2.0**-k)) for k in range(1, 25)]),
    "normalCdf": (ncdf, spread(1e-10, 13, both)),
    "besselI0": (lambda x: besseli(0, x), spread(1e-10, 88, both)),
    "besselI1": (lambda x: besseli(1, x), spread(1e-10, 88, both)),
    "besselI0e": (lambda x: exp(-abs(x)) * besseli(0, x), spread(1e-10, 1000, both)),
    "besselI1e": (lambda x: exp(-abs(x)) * besseli(1, x), spread(1e-10, 1000, both)),
    "besselK0": (lambda x: besselk(0, x), spread(1e-10, 80)),
    "besselK1": (lambda x: besselk(1, x), spread(1e-10, 80)),
    "besselK0e": (lambda x: exp(x) * besselk(0, x), spread(1e-10, 1000)),
    "besselK1e": (lambda x: exp(x) * besselk(1, x), spread(1e-10, 1000)),
    "besselJ0": (lambda x: besselj(0, x), spread(1e-10, 100, both)),
    "besselJ1": (lambda x: besselj(1, x), spread(1e-10, 100, both)),
    "besselY0": (lambda x: bessely(0, x), spread(1e-10, 100)),
    "besselY1": (lambda x: bessely(1, x), spread(1e-10, 100)),
}


def number(x):
    y = float(x)
    return y if abs(y) < 1e300 else "Infinity" if y > 0 else "-Infinity"


print(json.dumps({name: [v for x in xs for v in (x, number(f(mpf(x))))] for name, (f, xs) in functions.items()}))
