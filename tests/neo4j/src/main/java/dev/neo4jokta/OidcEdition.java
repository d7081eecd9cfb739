package dev.neo4jokta;

import org.neo4j.dbms.api.DatabaseManagementService;
import org.neo4j.dbms.systemgraph.SystemDatabaseProvider;
import org.neo4j.graphdb.factory.module.GlobalModule;
import org.neo4j.graphdb.factory.module.edition.CommunityEditionModule;
import org.neo4j.internal.kernel.api.exceptions.ProcedureException;
import org.neo4j.kernel.api.procedure.GlobalProcedures;
import org.neo4j.kernel.api.security.AuthManager;
import org.neo4j.kernel.api.security.provider.SecurityProvider;

/**
 * The community edition, whose Bolt and HTTP servers ask {@link OidcAuthManager}
 * first. Everything else about the server is untouched.
 */
final class OidcEdition extends CommunityEditionModule {
    private final GlobalModule module;

    OidcEdition(GlobalModule module) {
        super(module);
        this.module = module;
    }

    @Override
    public void createSecurityModule(GlobalModule module, SystemDatabaseProvider system) {
        super.createSecurityModule(module, system);
        SecurityProvider stock = getSecurityProvider();
        AuthManager realms = new OidcAuthManager(module.getGlobalConfig(), stock.authManager());
        setSecurityProvider(new SecurityProvider() {
            @Override
            public AuthManager authManager() {
                return realms;
            }

            @Override
            public AuthManager inClusterAuthManager() {
                return stock.inClusterAuthManager();
            }

            @Override
            public AuthManager domainSocketAuthManager() {
                return stock.domainSocketAuthManager();
            }
        });
    }

    @Override
    public void bootstrapQueryRouterServices(DatabaseManagementService service) {
        super.bootstrapQueryRouterServices(service);
        try {
            module.getGlobalDependencies()
                    .resolveDependency(GlobalProcedures.class)
                    .registerProcedure(WhoAmI.class);
        } catch (ProcedureException e) {
            throw new IllegalStateException(e);
        }
    }
}
