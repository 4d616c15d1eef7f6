#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 The Spillway authors
# SPDX-License-Identifier: Apache-2.0
"""Makes the dashboard one page and a C++ header of it: embed.py PAGE CSS JS HEADER.

The style and the script stand in the page itself; the content security policy allows exactly these two, by digest, and
WebSockets to wherever the operator's console connects.
"""
import base64
import hashlib
import sys
from pathlib import Path

page, css, js = (Path(name).read_text(encoding="utf-8") for name in sys.argv[1:4])


def digest(text):
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


def literal(text, piece=8000):
    """String literals have an upper bound for portable code (64 KiB), so the text is cut into several."""
    pieces = [text[i:i + piece] for i in range(0, len(text), piece)]
    return "\n".join(f'    R"~~~~({part})~~~~"' for part in pieces)


whole = page.replace("/*STYLE*/", css).replace("/*SCRIPT*/", js)
policy = (f"default-src 'none'; style-src {digest(css)}; script-src {digest(js)}; "
          "connect-src 'self' ws: wss:; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
Path(sys.argv[4]).write_text(f"""// Made by embed.py from the files beside it.
#pragma once

#include <string_view>

namespace spillway::server {{

inline constexpr std::string_view kDashboardPolicy = R"~~~~({policy})~~~~";
inline constexpr std::string_view kDashboardPage =
{literal(whole)};

}}  // namespace spillway::server
""", encoding="utf-8")
