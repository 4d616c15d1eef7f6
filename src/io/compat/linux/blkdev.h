// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Debian 13's liburing headers ask for this kernel header, which Debian 12's kernel headers do not have yet. They want
// one number of it, for a block device command that Spillway never sends. On the include path only where the host has
// no such header.
#pragma once

#include <linux/ioctl.h>

#define BLOCK_URING_CMD_DISCARD _IO(0x12, 0)
