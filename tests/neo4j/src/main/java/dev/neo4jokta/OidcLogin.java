package dev.neo4jokta;

import java.time.Instant;
import java.util.Set;
import org.neo4j.graphdb.security.AuthTokenExpiredException;
import org.neo4j.graphdb.security.AuthorizationViolationException;
import org.neo4j.internal.kernel.api.connectioninfo.ClientConnectionInfo;
import org.neo4j.internal.kernel.api.security.AbstractSecurityLog;
import org.neo4j.internal.kernel.api.security.AuthSubject;
import org.neo4j.internal.kernel.api.security.AuthenticationResult;
import org.neo4j.internal.kernel.api.security.LoginContext;
import org.neo4j.internal.kernel.api.security.SecurityContext;
import org.neo4j.kernel.database.PrivilegeDatabaseReference;

/** A login with a token, or its refusal. Ends with the token, open connection or not. */
final class OidcLogin extends LoginContext {
    private final Set<String> roles;
    private final Instant until;

    private OidcLogin(AuthSubject subject, Set<String> roles, Instant until, ClientConnectionInfo from) {
        super(subject, from);
        this.roles = roles;
        this.until = until;
    }

    static LoginContext accepted(OidcProvider.Login login, ClientConnectionInfo from) {
        var subject = new Subject(login.user(), AuthenticationResult.SUCCESS);
        return new OidcLogin(subject, login.roles(), login.until(), from);
    }

    static LoginContext refused(ClientConnectionInfo from) {
        return new OidcLogin(new Subject("", AuthenticationResult.FAILURE), Set.of(), Instant.MIN, from);
    }

    @Override
    public SecurityContext authorize(
            IdLookup ids, PrivilegeDatabaseReference database, AbstractSecurityLog log, long timeout) {
        if (subject().getAuthenticationResult() != AuthenticationResult.SUCCESS) {
            throw AuthorizationViolationException.permissionDeniedUnauthorized();
        }
        if (!Now.now().isBefore(until)) {
            throw AuthTokenExpiredException.authTokenExpired();
        }
        return new OidcSecurityContext(subject(), roles, connectionInfo(), database.name());
    }

    private record Subject(String user, AuthenticationResult result) implements AuthSubject {
        @Override
        public AuthenticationResult getAuthenticationResult() {
            return result;
        }

        @Override
        public boolean hasUsername(String name) {
            return user.equals(name);
        }

        @Override
        public String executingUser() {
            return user;
        }
    }
}
