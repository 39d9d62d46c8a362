"""A project of one's own, from what a database declares of itself.

What the database says is read once (:func:`lakehouse.new_project.reader.read_database`); all else is a pure
function of it (:func:`lakehouse.new_project.proposal.propose`): the files of a project, what a person should
look at, and what it does not hold, each with the reason and the way out. Begin with that function.
"""
