package dev.neo4jokta;

import org.neo4j.configuration.Config;
import org.neo4j.dbms.api.DatabaseManagementService;
import org.neo4j.graphdb.facade.DatabaseManagementServiceFactory;
import org.neo4j.graphdb.facade.GraphDatabaseDependencies;
import org.neo4j.kernel.impl.factory.DbmsInfo;
import org.neo4j.server.CommunityBootstrapper;
import org.neo4j.server.NeoBootstrapper;

/**
 * The real server, as its own entry point starts it, with {@link OidcEdition} in
 * place of the community edition. Takes the same arguments.
 */
public final class Main {
    private Main() {}

    public static void main(String[] arguments) {
        int status = NeoBootstrapper.start(new Bootstrapper(), arguments);
        if (status != NeoBootstrapper.OK) {
            System.exit(status);
        }
    }

    private static final class Bootstrapper extends CommunityBootstrapper {
        @Override
        protected DatabaseManagementService createNeo(
                Config config, boolean daemon, GraphDatabaseDependencies dependencies) {
            return new DatabaseManagementServiceFactory(DbmsInfo.COMMUNITY, OidcEdition::new)
                    .build(config, daemon, dependencies);
        }
    }
}
