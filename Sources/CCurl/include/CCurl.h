// libcurl, loaded when something is first downloaded.
//
// It is not linked: with the libraries it brings along (TLS, Kerberos, LDAP, …: thirty of them) it would be half of every start of
// the program. Swift's package manager needs it, so it is there wherever this program was built.
#pragma once
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/// Whether libcurl could be loaded. The first call loads it.
int ccurl_available(void);

/// Is given bytes as they come; 0 to go on, anything else to break the transfer off.
typedef int ccurl_sink(void *context, const char *bytes, size_t count);

/// GETs `url` (http, https; redirects are followed) and blocks until all of it came. Gives up where nothing comes for a minute.
/// @param fields of the request, as "Range: bytes=100-".
/// @param head given every line of every answer's head, line end included; a redirect has one before the one that counts.
/// @param body given the last answer's body.
/// @param message what went wrong, in words.
/// @return 0 where all of it came.
int ccurl_get(const char *url, const char *const *fields, size_t field_count, ccurl_sink *head, ccurl_sink *body, void *context,
              char message[256]);

#ifdef __cplusplus
}
#endif
