/* The table of rules: one line a rule, by code. ST0xx files, ST1xx the dialplan's shape, ST2xx what callers can do with it, ST3xx manager,
 * ST4xx ARI and HTTP, ST5xx SIP and the rest. A code is never given to another rule. */
#pragma once

#include "audit/audit.h"

#define AUDIT_RULES(RULE) \
    RULE(unreadable_file) \
    RULE(jump_to_nowhere) \
    RULE(missing_include) \
    RULE(ignored_line) \
    RULE(duplicate_priority) \
    RULE(no_first_priority) \
    RULE(unreachable_step) \
    RULE(missing_hangup) \
    RULE(shadowed_pattern) \
    RULE(catch_all_pattern) \
    RULE(endless_loop) \
    RULE(while_pairs) \
    RULE(include_shadowed) \
    RULE(bad_times) \
    RULE(no_return) \
    RULE(unknown_application) \
    RULE(removed_application) \
    RULE(deprecated_application) \
    RULE(unknown_function) \
    RULE(removed_function) \
    RULE(argument_count) \
    RULE(broken_expression) \
    RULE(bare_operand) \
    RULE(old_separator) \
    RULE(shell_injection) \
    RULE(dial_injection) \
    RULE(argument_injection) \
    RULE(second_evaluation) \
    RULE(path_injection) \
    RULE(query_injection) \
    RULE(toll_fraud) \
    RULE(outsider_transfer) \
    RULE(dial_tone) \
    RULE(spy_from_outside) \
    RULE(code_in_plan) \
    RULE(answering_switch) \
    RULE(no_fallback) \
    RULE(plain_network) \
    RULE(manager_address) \
    RULE(manager_plain) \
    RULE(manager_secret) \
    RULE(manager_reused) \
    RULE(manager_power) \
    RULE(manager_acl) \
    RULE(manager_filter) \
    RULE(manager_timeout) \
    RULE(manager_merged) \
    RULE(manager_phone) \
    RULE(manager_reader) \
    RULE(manager_web) \
    RULE(manager_silent) \
    RULE(manager_class) \
    RULE(manager_age) \
    RULE(http_plain) \
    RULE(ari_origins) \
    RULE(ari_password) \
    RULE(ari_writable) \
    RULE(ari_plain) \
    RULE(http_status) \
    RULE(http_static) \
    RULE(http_sessions) \
    RULE(websocket_plain) \
    RULE(websocket_unverified) \
    RULE(websocket_secret) \
    RULE(ari_reused) \
    RULE(ari_age) \
    RULE(live_dangerously) \
    RULE(exec_includes) \
    RULE(run_root) \
    RULE(strict_rtp) \
    RULE(pjsip_anonymous) \
    RULE(system_name) \
    RULE(hidden_consoles) \
    RULE(module_missing) \
    RULE(gone_module) \
    RULE(pjsip_identify) \
    RULE(pjsip_options) \
    RULE(pjsip_transport) \
    RULE(pjsip_password) \
    RULE(pjsip_context) \
    RULE(pjsip_no_such_context) \
    RULE(iax_token) \
    RULE(queue_forgets) \
    RULE(queue_member) \
    RULE(rtp_ports) \
    RULE(cdr_off) \
    RULE(cel_empty) \
    RULE(voicemail_pin) \
    RULE(voicemail_dialout) \
    RULE(feature_application) \
    RULE(security_log) \
    RULE(realtime) \
    RULE(pjsip_setting) \
    RULE(pjsip_reference) \
    RULE(queue_setting) \
    RULE(queue_missing) \
    RULE(mailbox_missing) \
    RULE(records_refused) \
    RULE(known_advisory) \
    RULE(live_context) \
    RULE(live_not_loaded) \
    RULE(live_changed) \
    RULE(live_module) \
    RULE(live_user_extra) \
    RULE(live_user_missing) \
    RULE(live_user_differs) \
    RULE(live_port_open) \
    RULE(live_port_silent) \
    RULE(live_step_extra) \
    RULE(live_step_missing) \
    /* end */

#define AUDIT_RULE_DECLARE(name) extern const struct audit_rule audit_rule_##name;
AUDIT_RULES(AUDIT_RULE_DECLARE)
#undef AUDIT_RULE_DECLARE

/* For the record of a rule. */
#define AUDIT_EXAMPLES(list) .examples = (list), .example_count = sizeof(list) / sizeof *(list)
