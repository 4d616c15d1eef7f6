// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Every fixed bound in one place, each with who needs it, and the relations between them checked by the compiler.
// Bounds an operator may change are in config.h, with these as ceilings where both exist.
#pragma once

#include <cstddef>
#include <cstdint>

namespace spillway {

inline constexpr std::size_t kKiB = 1024;
inline constexpr std::size_t kMiB = 1024 * kKiB;

/// Cores of one process. Bounded by the 8-bit CoreId less the mesh's extra endpoints.
inline constexpr std::size_t kCoresMax = 128;

/// Request head: target and all header lines together (settable up to the ceiling), and the number of lines.
inline constexpr std::size_t kHeaderBytesDefault = 16 * kKiB;
inline constexpr std::size_t kHeaderBytesMax = 256 * kKiB;
inline constexpr std::size_t kHeadersDefault = 100;

/// A WebSocket message from a client in fragments: more are refused with 1008 (a fragment costs more than its bytes).
inline constexpr std::uint32_t kFragmentsMax = 1024;
/// The echo endpoint runs conformance suites that fragment finely.
inline constexpr std::uint32_t kEchoFragmentsMax = 70'000;

/// RFC 6455 section 5.5: payload of a control frame.
inline constexpr std::size_t kControlPayloadMax = 125;

/// Depth of JSON nesting accepted in any envelope.
inline constexpr std::size_t kJsonDepthMax = 32;

/// Pusher naming limits (per-app settings may be lower or higher for channels up to these ceilings).
inline constexpr std::size_t kChannelNameMax = 200;
inline constexpr std::size_t kEventNameMax = 200;
inline constexpr std::size_t kChannelsPerEventMax = 100;
inline constexpr std::size_t kBatchMax = 10;
inline constexpr std::size_t kUserIdMax = 128;
/// Members of a presence channel, and bytes of a member's id and info together, that an app may be given at most: their
/// product goes to everyone who joins.
inline constexpr std::size_t kPresenceMembersMax = 10'000;
inline constexpr std::size_t kPresenceMemberBytesMax = 64 * kKiB;
/// Last events of cache channels kept by one core, and bytes of them.
inline constexpr std::size_t kCachedEventsMax = 65'536;
inline constexpr std::size_t kCachedBytesMax = 64 * kMiB;
/// Users that one sign-in may watch; of a longer list the first so many are.
inline constexpr std::size_t kWatchlistMax = 100;
/// Places in channels' orders that one request can ask for: a full batch.
inline constexpr std::size_t kPublishMax = kChannelsPerEventMax * kBatchMax;

/// Requests of one API connection that may be under way at once; further ones wait in the socket.
inline constexpr std::size_t kRequestsInFlightMax = 64;
/// API calls of one core that wait for other cores. Beyond that publishers wait.
inline constexpr std::size_t kApiCallsMax = 65'536;

/// Lists of all channels that one core has under way, and bytes of one; a larger one is refused (filter_by_prefix helps).
inline constexpr std::size_t kListsMax = 8;
inline constexpr std::size_t kListBytesMax = 64 * kMiB;

/// Idempotency keys that one core remembers, and their bytes with their answers; the oldest are forgotten first.
inline constexpr std::size_t kIdempotencyKeysMax = 65'536;
inline constexpr std::size_t kIdempotencyBytesMax = 32 * kMiB;

/// Control frames, pusher:error and close frames of one client waiting to be sent.
inline constexpr std::size_t kControlQueueMax = 64;
/// Of them pongs, each to a ping of its own; of more pings than that the newest is answered (RFC 6455 section 5.5.3).
inline constexpr std::size_t kPongsMax = 16;

/// Sends prepared before they are handed to the kernel together: small, so that one submit blocks under 0.5 ms
/// (batch sizes from 16 to 1024 measured equal).
inline constexpr std::size_t kSendBatch = 64;
/// And bytes, once they are many: a submit cannot be interrupted, and copies about 2 GB/s.
inline constexpr std::size_t kSendBatchBytes = 512 * kKiB;
/// Buffers joined into one gathered send of a client (IOV_MAX is 1024; 64 keeps the arena of a batch small).
inline constexpr std::size_t kGatherMax = 64;
/// Bytes joined for one send of a fan-out pass: at most, and at least what a pass may join however many it goes to.
inline constexpr std::size_t kJoinBytesMax = 64 * kKiB;
inline constexpr std::size_t kJoinBytesLeast = 8 * kKiB;
/// From so many bytes on a message goes without a copy (SEND_ZC) where the kernel can do that; smaller ones cost more that way.
inline constexpr std::size_t kZeroCopyBytes = 16 * kKiB;
/// Bytes that one pass copies into sockets, as far as joining is concerned: some tens of milliseconds. A pass is what the
/// messages behind it wait for.
inline constexpr std::size_t kPassBytes = 96 * kMiB;

/// Receive buffers of one core, provided to the kernel as a ring.
inline constexpr std::uint32_t kRecvBuffers = 2048;
inline constexpr std::uint32_t kRecvBufferBytes = 4096;

static_assert((kRecvBuffers & (kRecvBuffers - 1)) == 0, "buffer rings are powers of two");
static_assert(kGatherMax <= 1024, "IOV_MAX");
static_assert(2 * (kPongsMax + 2) <= kControlQueueMax, "pings alone fill no queue, nor echoed messages between them");

}  // namespace spillway
