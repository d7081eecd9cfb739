package dev.neo4jokta;

import java.util.List;
import java.util.stream.Stream;
import org.neo4j.internal.kernel.api.security.SecurityContext;
import org.neo4j.procedure.Context;
import org.neo4j.procedure.Description;
import org.neo4j.procedure.Mode;
import org.neo4j.procedure.Procedure;

/**
 * Who the server thinks is asking. The community edition's SHOW CURRENT USER knows
 * native users alone.
 */
public final class WhoAmI {
    @Context
    public SecurityContext context;

    /** One row. */
    public record Row(String user, List<String> roles) {}

    @Procedure(name = "oidc.whoami", mode = Mode.DBMS)
    @Description("The user and the roles of this connection.")
    public Stream<Row> whoami() {
        List<String> roles = context.roles().stream().sorted().toList();
        return Stream.of(new Row(context.subject().executingUser(), roles));
    }
}
