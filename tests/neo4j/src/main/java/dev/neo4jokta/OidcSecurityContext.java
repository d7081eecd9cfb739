package dev.neo4jokta;

import java.util.List;
import java.util.Map;
import java.util.Set;
import org.neo4j.internal.kernel.api.connectioninfo.ClientConnectionInfo;
import org.neo4j.internal.kernel.api.security.AccessMode;
import org.neo4j.internal.kernel.api.security.AdminAccessMode;
import org.neo4j.internal.kernel.api.security.AdminActionOnResource;
import org.neo4j.internal.kernel.api.security.AuthSubject;
import org.neo4j.internal.kernel.api.security.PermissionState;
import org.neo4j.internal.kernel.api.security.SecurityContext;
import org.neo4j.internal.kernel.api.security.StaticAccessMode;

/**
 * What the roles allow, in the kernel's own terms: the kernel enforces it. Built-in
 * roles contain each other, so the greatest of several is all of them; a role that
 * is not built in grants nothing, as one without privileges does.
 */
final class OidcSecurityContext extends SecurityContext {
    private static final List<Map.Entry<String, StaticAccessMode>> GREATEST_FIRST = List.of(
            Map.entry("admin", StaticAccessMode.FULL),
            Map.entry("architect", StaticAccessMode.SCHEMA),
            Map.entry("publisher", StaticAccessMode.TOKEN_WRITE),
            Map.entry("editor", StaticAccessMode.WRITE),
            Map.entry("reader", StaticAccessMode.READ));

    private final Set<String> roles;

    OidcSecurityContext(AuthSubject subject, Set<String> roles, ClientConnectionInfo from, String database) {
        this(subject, mode(roles), roles, from, database);
    }

    private OidcSecurityContext(
            AuthSubject subject, AccessMode mode, Set<String> roles, ClientConnectionInfo from, String database) {
        super(subject, mode, from, database);
        this.roles = roles;
    }

    private static AccessMode mode(Set<String> roles) {
        return GREATEST_FIRST.stream()
                .filter(role -> roles.contains(role.getKey()))
                .findFirst()
                .map(Map.Entry::getValue)
                .orElse(StaticAccessMode.ACCESS);
    }

    private PermissionState admin() {
        return PermissionState.fromAllowList(roles.contains("admin"));
    }

    @Override
    public Set<String> roles() {
        return roles;
    }

    @Override
    public PermissionState allowsAdminAction(AdminActionOnResource action) {
        return admin();
    }

    @Override
    public PermissionState allowExecuteAdminProcedure(int procedure) {
        return admin();
    }

    @Override
    public SecurityContext withMode(AccessMode mode) {
        return new OidcSecurityContext(subject(), mode, roles, connectionInfo(), database());
    }

    @Override
    public SecurityContext withMode(AdminAccessMode mode) {
        return this;
    }
}
