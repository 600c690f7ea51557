/* The part of Envoy's dynamic-module ABI that a listener filter which restores addresses needs,
 * for Envoy 1.37 to 1.40. build.rs turns it into src/abi.rs's types and functions.
 *
 * Hooks (what Envoy calls in the module) are not declared here: the macro
 * declare_listener_filter_init_functions! defines them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes that Envoy owns, and how long they live depends on the callback. */
typedef struct {
  const char* ptr;
  size_t length;
} envoy_dynamic_module_type_envoy_buffer;

/* Bytes that the module owns. Envoy copies them during the call. */
typedef struct {
  const char* ptr;
  size_t length;
} envoy_dynamic_module_type_module_buffer;

/* Envoy's objects: a filter's configuration, and the filter of one connection. */
typedef void* envoy_dynamic_module_type_listener_filter_config_envoy_ptr;
typedef void* envoy_dynamic_module_type_listener_filter_envoy_ptr;

/* The module's objects, as Envoy holds them. NULL says that the module could not make one. */
typedef const void* envoy_dynamic_module_type_listener_filter_config_module_ptr;
typedef const void* envoy_dynamic_module_type_listener_filter_module_ptr;

typedef enum {
  envoy_dynamic_module_type_on_listener_filter_status_Continue = 0,
  envoy_dynamic_module_type_on_listener_filter_status_StopIteration = 1,
} envoy_dynamic_module_type_on_listener_filter_status;

typedef enum {
  envoy_dynamic_module_type_log_level_Trace = 0,
  envoy_dynamic_module_type_log_level_Debug = 1,
  envoy_dynamic_module_type_log_level_Info = 2,
  envoy_dynamic_module_type_log_level_Warn = 3,
  envoy_dynamic_module_type_log_level_Error = 4,
  envoy_dynamic_module_type_log_level_Critical = 5,
  envoy_dynamic_module_type_log_level_Off = 6,
} envoy_dynamic_module_type_log_level;

typedef enum {
  envoy_dynamic_module_type_metrics_result_Success = 0,
  envoy_dynamic_module_type_metrics_result_MetricNotFound = 1,
  envoy_dynamic_module_type_metrics_result_InvalidLabels = 2,
  envoy_dynamic_module_type_metrics_result_Frozen = 3,
} envoy_dynamic_module_type_metrics_result;

/* The kind of the accepted socket. It stays what it is when the local address is restored. */
typedef enum {
  envoy_dynamic_module_type_address_type_Unknown = 0,
  envoy_dynamic_module_type_address_type_Ip = 1,
  envoy_dynamic_module_type_address_type_Pipe = 2,
  envoy_dynamic_module_type_address_type_EnvoyInternal = 3,
} envoy_dynamic_module_type_address_type;

/* ---- Callbacks that every version has ---- */

envoy_dynamic_module_type_metrics_result
envoy_dynamic_module_callback_listener_filter_config_define_counter(
    envoy_dynamic_module_type_listener_filter_config_envoy_ptr config,
    envoy_dynamic_module_type_module_buffer name, size_t* counter_id);
envoy_dynamic_module_type_metrics_result
envoy_dynamic_module_callback_listener_filter_config_define_gauge(
    envoy_dynamic_module_type_listener_filter_config_envoy_ptr config,
    envoy_dynamic_module_type_module_buffer name, size_t* gauge_id);
envoy_dynamic_module_type_metrics_result
envoy_dynamic_module_callback_listener_filter_increment_counter(
    envoy_dynamic_module_type_listener_filter_envoy_ptr filter, size_t id, uint64_t value);
envoy_dynamic_module_type_metrics_result envoy_dynamic_module_callback_listener_filter_set_gauge(
    envoy_dynamic_module_type_listener_filter_envoy_ptr filter, size_t id, uint64_t value);

/* The text is a view into the address object: it ends when that address is replaced.
 * False, with a null view, where there is no IP address. */
bool envoy_dynamic_module_callback_listener_filter_get_local_address(
    envoy_dynamic_module_type_listener_filter_envoy_ptr filter,
    envoy_dynamic_module_type_envoy_buffer* address, uint32_t* port);
bool envoy_dynamic_module_callback_listener_filter_get_remote_address(
    envoy_dynamic_module_type_listener_filter_envoy_ptr filter,
    envoy_dynamic_module_type_envoy_buffer* address, uint32_t* port);
bool envoy_dynamic_module_callback_listener_filter_get_direct_local_address(
    envoy_dynamic_module_type_listener_filter_envoy_ptr filter,
    envoy_dynamic_module_type_envoy_buffer* address, uint32_t* port);
envoy_dynamic_module_type_address_type
envoy_dynamic_module_callback_listener_filter_get_address_type(
    envoy_dynamic_module_type_listener_filter_envoy_ptr filter);
bool envoy_dynamic_module_callback_listener_filter_is_local_address_restored(
    envoy_dynamic_module_type_listener_filter_envoy_ptr filter);

/* The address is an IP as text, without brackets. False, and nothing changed, where Envoy cannot
 * read it. */
bool envoy_dynamic_module_callback_listener_filter_restore_local_address(
    envoy_dynamic_module_type_listener_filter_envoy_ptr filter,
    envoy_dynamic_module_type_module_buffer address, uint32_t port, bool is_ipv6);
bool envoy_dynamic_module_callback_listener_filter_set_remote_address(
    envoy_dynamic_module_type_listener_filter_envoy_ptr filter,
    envoy_dynamic_module_type_module_buffer address, uint32_t port, bool is_ipv6);

/* -1 where there is no kernel socket. */
int64_t envoy_dynamic_module_callback_listener_filter_get_socket_fd(
    envoy_dynamic_module_type_listener_filter_envoy_ptr filter);

void envoy_dynamic_module_callback_listener_filter_use_original_dst(
    envoy_dynamic_module_type_listener_filter_envoy_ptr filter, bool use_original_dst);

/* 1.37 has no `details`. The calling conventions of x86-64 and aarch64 pass it in registers that
 * 1.37 does not read, so that one declaration serves all. */
void envoy_dynamic_module_callback_listener_filter_close_socket(
    envoy_dynamic_module_type_listener_filter_envoy_ptr filter,
    envoy_dynamic_module_type_module_buffer details);
void envoy_dynamic_module_callback_listener_filter_set_downstream_transport_failure_reason(
    envoy_dynamic_module_type_listener_filter_envoy_ptr filter,
    envoy_dynamic_module_type_module_buffer reason);

/* The view ends with the next set, or with the hook. */
bool envoy_dynamic_module_callback_listener_filter_get_dynamic_metadata_string(
    envoy_dynamic_module_type_listener_filter_envoy_ptr filter,
    envoy_dynamic_module_type_module_buffer filter_namespace,
    envoy_dynamic_module_type_module_buffer key, envoy_dynamic_module_type_envoy_buffer* value);
void envoy_dynamic_module_callback_listener_filter_set_dynamic_metadata_string(
    envoy_dynamic_module_type_listener_filter_envoy_ptr filter,
    envoy_dynamic_module_type_module_buffer filter_namespace,
    envoy_dynamic_module_type_module_buffer key, envoy_dynamic_module_type_module_buffer value);

/* String objects only. */
bool envoy_dynamic_module_callback_listener_filter_get_filter_state(
    envoy_dynamic_module_type_listener_filter_envoy_ptr filter,
    envoy_dynamic_module_type_module_buffer key, envoy_dynamic_module_type_envoy_buffer* value);

/* Makes a string object. Before 1.39, a key that is there keeps its value, and Envoy logs a bug. */
bool envoy_dynamic_module_callback_listener_filter_set_filter_state(
    envoy_dynamic_module_type_listener_filter_envoy_ptr filter,
    envoy_dynamic_module_type_module_buffer key, envoy_dynamic_module_type_module_buffer value);

bool envoy_dynamic_module_callback_log_enabled(envoy_dynamic_module_type_log_level level);
void envoy_dynamic_module_callback_log(envoy_dynamic_module_type_log_level level,
                                       envoy_dynamic_module_type_module_buffer message);

/* ---- Callbacks that only some versions have, found by their names at run time ---- */

/* 1.40: log() with the place that the line comes from. */
typedef void (*envoy_dynamic_module_callback_log_v2)(
    envoy_dynamic_module_type_log_level level, envoy_dynamic_module_type_module_buffer message,
    envoy_dynamic_module_type_module_buffer source_file, uint32_t source_line);

/* 1.40: any object that can be written as text. The view ends with the hook. */
typedef bool (*envoy_dynamic_module_callback_listener_filter_get_filter_state_typed)(
    envoy_dynamic_module_type_listener_filter_envoy_ptr filter,
    envoy_dynamic_module_type_module_buffer key, envoy_dynamic_module_type_envoy_buffer* value);

/* 1.39: set_gauge() without a connection. */
typedef envoy_dynamic_module_type_metrics_result (
    *envoy_dynamic_module_callback_listener_filter_config_set_gauge)(
    envoy_dynamic_module_type_listener_filter_config_envoy_ptr config, size_t id, uint64_t value);

/* 1.39: several strings of one namespace of the dynamic metadata, which are merged into it once. */
typedef struct {
  const char* key_ptr;
  size_t key_length;
  const char* value_ptr;
  size_t value_length;
} envoy_dynamic_module_type_module_key_value_pair;
typedef void (*envoy_dynamic_module_callback_listener_filter_set_dynamic_metadata_string_batch)(
    envoy_dynamic_module_type_listener_filter_envoy_ptr filter,
    envoy_dynamic_module_type_module_buffer filter_namespace,
    const envoy_dynamic_module_type_module_key_value_pair* entries, size_t entries_count);

/* 1.39. `attribute_id` is an enumerator of Envoy's header. */
typedef bool (*envoy_dynamic_module_callback_listener_filter_get_attribute_int)(
    envoy_dynamic_module_type_listener_filter_envoy_ptr filter, uint32_t attribute_id,
    uint64_t* result);
